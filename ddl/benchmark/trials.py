"""The program that each rank of a trial runs: training by our loop, or reading samples without training."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import ddl.distributed as dist
from ddl.benchmark.plans import data_of, plan_of, stored
from ddl.benchmark.steps import profile_of
from ddl.benchmark.trial import STARTED, Trial, rate
from ddl.data.source import Source, Subset
from ddl.distributed.job.launcher import threads_per_rank
from ddl.distributed.job.quiet import loading_tensorflow
from ddl.training.data.training_data import TrainingData


def train(trial: Trial) -> dict[str, Any]:
    """Train by our loop. All ranks must call it."""
    dist.init()
    with loading_tensorflow():
        from ddl.training.loop import train as train_plan
        from ddl.training.record import recorder
    if trial.draws:
        recorder.DRAW_EVERY_S = 0.0
    clock = EpochClock()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(dist.broadcast(name))
        data = dist.broadcast(stored(trial, folder) if dist.is_root() else "")
        plan = plan_of(trial, folder, data)
        opened = data_of(trial, plan)
        few = np.arange(min(len(opened.training), trial.per_rank_batch_size * dist.size()))
        kept = TrainingData(opened.training, Subset(opened.held_out[0], few), opened.classes)
        epochs = train_plan(plan, kept, callbacks=[clock.callback()])
        dist.barrier()
        profile = profile_of(plan) if trial.profile and dist.is_root() else {}
    learned = {
        "loss": epochs[-1]["loss"],
        "score": epochs[-1].get(plan.metric[0]) if plan.metric else None,
    }
    shape = {"input_shape": list(opened.input_shape)}
    parts = clock.parts()
    return throughput(trial, parts["epoch_s"], clock.began) | parts | profile | learned | shape


def read_input(trial: Trial) -> dict[str, Any]:
    """Read and augment the samples without training. All ranks must call it."""
    dist.init()
    epoch_s = []
    with read_batches(trial) as (dataset, steps):
        taken = iter(dataset)
        for _ in range(trial.epochs):
            begin = time.perf_counter()
            for _ in itertools.islice(taken, steps):
                pass
            epoch_s.append(time.perf_counter() - begin)
    return {"samples_per_s": rate(trial.samples, epoch_s), "epoch_s": epoch_s}


@contextlib.contextmanager
def read_batches(trial: Trial) -> Iterator[tuple[Any, int]]:
    """Return this rank's endless batches, read as our loop reads them, and the steps of an epoch."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = plan_of(trial, folder, stored(trial, folder))
        with open_batches(
            trial,
            data_of(trial, plan).training,
            dist.rank(),
            dist.size(),
            augmentation=plan.augmentation(),
            ignore_index=plan.ignore_index,
            threads=threads_per_rank(dist.local_size()),
        ) as batches:
            yield batches


@contextlib.contextmanager
def open_batches(
    trial: Trial, samples: Source, rank: int = 0, size: int = 1, **reading: Any
) -> Iterator[tuple[Any, int]]:
    """Return the endless batches of one rank's share of these samples, and the steps of an epoch."""
    from ddl.data.batches import pipeline
    from ddl.data.order import SampleOrder

    order = SampleOrder("global", len(samples), trial.per_rank_batch_size, size, trial.seed)
    with pipeline.training_batches(samples, order=order, rank=rank, **reading) as batches:
        yield batches.dataset, order.steps_per_epoch


class EpochClock:
    """Records when epochs begin, when their steps end, and the memory at their end.

    It uses no hook of a single step, so that our loop takes its steps in blocks as always. An epoch's first step begins
    with the epoch. Its last step ends where the validation begins.
    """

    def __init__(self) -> None:
        self.began = 0.0  # time.time() at the first epoch's begin
        self._begins: list[float] = []
        self.first_steps = self._begins
        self._last_steps: list[float] = []
        self._resident_mb: list[float] = []
        self._end: float | None = None

    def callback(self) -> Any:
        """Return a Keras callback that records the times."""
        import keras

        return keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: self.begin_epoch(),
            on_epoch_end=lambda epoch, logs: self.end_epoch(),
            on_train_end=lambda logs: self.end_training(),
            on_test_begin=lambda logs: self.end_step(),
        )

    def begin_epoch(self) -> None:
        """Record the begin of an epoch."""
        self.began = self.began or time.time()
        self._begins.append(time.perf_counter())

    def end_step(self) -> None:
        """Record the end of a step; the last one of an epoch counts."""
        del self._last_steps[len(self._begins) - 1 :]
        self._last_steps.append(time.perf_counter())

    def end_epoch(self) -> None:
        """Record the memory."""
        self._resident_mb.append(round(psutil.Process().memory_info().rss / 2**20, 1))

    def end_training(self) -> None:
        """Record the end of the last epoch."""
        self._end = time.perf_counter()

    def parts(self) -> dict[str, Any]:
        """Return the seconds of each epoch, and of its part after its last step, up to the next epoch's first one."""
        end = self._end or time.perf_counter()
        ends, nexts = [*self._begins[1:], end], [*self.first_steps[1:], end]
        after = [when - last for when, last in zip(nexts, self._last_steps, strict=True)]
        return {
            "epoch_s": [after - before for before, after in zip(self._begins, ends, strict=True)],
            "after_last_step_s": after,
            "longest_end_s": max(after),
            "resident_mb": self._resident_mb,
            "last_resident_mb": self._resident_mb[-1],
        }


def throughput(trial: Trial, epoch_s: list[float], begin: float) -> dict[str, Any]:
    """Return samples/s, and the seconds from the command to the first epoch's begin (time.time()) and end."""
    started = float(os.environ.get(STARTED, begin))
    return {
        "samples_per_s": rate(trial.samples, epoch_s),
        "epoch_s": epoch_s,
        "ready_s": begin - started,
        "started_s": begin - started + epoch_s[0],
    }
