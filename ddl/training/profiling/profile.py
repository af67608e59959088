"""`--profile`: measures where the time of some steps goes, and traces the same number of further steps.

Profiled steps train the model bit for bit like others. Measured and traced steps are different ones, because tracing
takes time itself.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import ddl.distributed as dist
from ddl.distributed.timing.reduction_timer import Timestamps
from ddl.distributed.timing.timeline import calm_writer, has_timeline, start_timeline, stop_timeline
from ddl.files import write_whole
from ddl.training.profiling.step_time import WARM_UP, as_json, part_times, profiled_steps
from ddl.training.record.run_dir import spare_training
from ddl.training.run import Run

FOLDER, PARTIAL = "profile", "profile.partial"

logger = logging.getLogger("ddl")


@contextlib.contextmanager
def profiling(run: Run) -> Iterator[Profile | None]:
    """Return the profiler that the plan asks for, or None. All ranks call it.

    A run that ends before its profile is complete writes none.
    """
    if not run.plan.profile or run.is_over:
        yield None
        return
    profile = Profile(run)
    try:
        yield profile
        if profile.is_on and dist.is_root():
            logger.warning(
                "profile=%d needs %d steps, but the run took %d: no profile was written.",
                run.plan.profile, profiled_steps(run.plan.profile), profile.taken,
            )  # fmt: skip
    finally:
        profile.close()


class Profile:
    """Takes the first steps of a run, in place of the compiled single step. Every rank has one.

    Attributes:
        taken: steps since the start.
    """

    def __init__(self, run: Run) -> None:
        self._run, self._steps = run, run.plan.profile
        self.taken = 0
        self._measured: list[tuple[float, float, float]] = []
        self._reductions: list[np.ndarray] = []
        self._timestamps = Timestamps()
        self._single: Any = None
        self._timed_step: Any = None
        self._left: float | None = None  # end of the last step, unless something else came after it
        self._trace: _Trace | None = None
        if has_timeline() and dist.is_root():
            calm_writer()

    @property
    def is_on(self) -> bool:
        """Whether steps are left to profile. The same on all ranks."""
        return self.taken < profiled_steps(self._steps)

    def around(self, model: keras.Model, single: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return a function of an iterator that takes a step like `single`, and profiles the steps that are due.

        A second call replaces both.
        """
        self._model, self._single, self._timed_step = model, single, None
        return self._take

    def pause(self) -> None:
        """Exclude the time between two epochs from the steps."""
        self._left = None

    def close(self) -> None:
        """Stop an unfinished trace."""
        trace, self._trace = self._trace, None
        if trace is not None:
            with spare_training("the trace"):
                trace.stop()
            shutil.rmtree(trace.folder, ignore_errors=True)

    def _take(self, iterator: Any) -> Any:
        """Take a step: plain, measured or traced, depending on its number."""
        if not self.is_on:
            return self._single(iterator)
        number = self.taken - WARM_UP
        self.taken += 1
        if number == -WARM_UP:
            return self._single(iterator)
        if number < self._steps:
            return self._measure(iterator, counts=number >= 0)
        if number == self._steps and dist.is_root():
            self._trace = _Trace(self._run.plan.run_dir / PARTIAL)
        logs = self._traced(iterator, number)
        if number == 2 * self._steps - 1:
            self._finish()
        return logs

    def _measure(self, iterator: Any, *, counts: bool) -> Any:
        """Take a step and time input, graph and Python, with the clock that the graph reads."""
        if self._timed_step is None:
            self._timed_step = _timestamped(self._model, self._timestamps, iterator.element_spec)
        asked = time.time()
        data = next(iterator)
        got = time.time()
        self._timestamps.clear()
        called = time.time()
        logs = self._timed_step(data)
        float(logs["loss"])  # waits for a GPU
        done = time.time()
        started, reductions = self._timestamps.read()
        if counts:
            python = (asked - (asked if self._left is None else self._left)) + started - called
            self._measured.append((got - asked, done - started, python))
            self._reductions.append(reductions)
        self._left = time.time()
        return logs

    def _traced(self, iterator: Any, number: int) -> Any:
        if self._trace is None:
            return self._single(iterator)
        with tf.profiler.experimental.Trace("train", step_num=number - self._steps, _r=1):
            logs = self._single(iterator)
            float(logs["loss"])
        return logs

    def _finish(self) -> None:
        """Log the result and write it into the run's folder. All ranks call it."""
        ranks = dist.allgather((np.array(self._measured), np.array(self._reductions)))
        if self._trace is None:
            return
        parts = part_times(*map(np.stack, zip(*ranks, strict=True)))
        first = self._run.position.epoch * self._run.steps_per_epoch + self._run.position.step
        facts = as_json(parts, first + 2 - 2 * self._steps)
        folder = self._run.plan.run_dir / FOLDER
        logger.info("%s More in %s.", facts["summary"], folder)
        trace, self._trace = self._trace, None
        with spare_training("the profile"):
            trace.stop()
            text = json.dumps(facts) + "\n"
            write_whole(trace.folder / "steps.json", lambda path: path.write_text(text, "utf-8"))
            shutil.rmtree(folder, ignore_errors=True)
            trace.folder.replace(folder)


def _timestamped(model: keras.Model, timestamps: Timestamps, batch_spec: Any) -> Any:
    """Return a function that takes a step and records its times.

    Batches have the shapes used in `fit`, where the number of samples is unknown. With a known number TensorFlow would
    build other operations, whose results differ in the last bits.
    """

    def train_step(data: Any) -> Any:
        with timestamps:
            return model.train_step(data)

    step = tf.function(train_step, reduce_retracing=True, jit_compile=model.jit_compile)

    def timestamped_step(data: Any) -> Any:
        with tf.control_dependencies([timestamps.start()]):
            return step(data)

    return tf.function(timestamped_step, input_signature=[batch_spec], autograph=False)


class _Trace:
    """TensorFlow's trace of rank 0 and Horovod's timeline, written into a folder from now until `stop`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._is_on = self._has_timeline = False
        with spare_training("the trace"):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            tf.profiler.experimental.start(str(folder / "trace"))
            self._is_on = True
            if has_timeline():
                start_timeline(folder / "horovod_timeline.json")
                self._has_timeline = True

    def stop(self) -> None:
        """End both."""
        if self._has_timeline:
            self._has_timeline = False
            stop_timeline()
        if self._is_on:
            self._is_on = False
            try:
                tf.profiler.experimental.stop()
            except tf.errors.OpError as error:  # a disk error
                raise OSError(error.message) from error
