"""Whether XLA compiles forward and backward pass of a run's steps: decided once, by measuring, on all ranks together.

The first steps of a run are taken as they are. If enough of the run is left, a made batch then passes forward and
backward both ways, and the faster way is kept. Nothing that the trial computes stays in the model. Checkpoints hold the
decision, and it falls at a fixed step, so a resumed run computes the same bits.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import statistics
import time
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import ddl.distributed as dist
from ddl.data.sharding import block_bounds
from ddl.distributed.keras_patches import guard, jit
from ddl.distributed.keras_patches.xla_draws import other_draw
from ddl.distributed.state.variables import restored
from ddl.training.run import Run
from ddl.training.steps.blocks import single_step

FIRST_STEPS = 8
"""Steps before the decision. They also warm up: the last half of them tells how long a step takes."""
COST = 4.0
"""Seconds of a trial per second of the first step, which is mostly tracing."""
SHORT_S = 0.05
_HOPED_GAIN, _RARE_GAIN, _LEAST_GAIN = 0.2, 0.03, 0.05
"""Part of the rest of a run that a trial may cost: of short steps, which XLA often halves, and of longer ones; and the
part of a step that XLA must save in the trial."""
_ROUNDS, _ROUNDS_S = 12, 2.0
_NO_KERNEL = re.compile(r"on XLA_\w+_JIT: (\w+) \(")

logger = logging.getLogger("ddl")

Compute = Any  # a tf.function of a batch


class Uncompilable(ValueError):
    """The plan asks for compiled steps, and XLA cannot compile them. Raised on all ranks."""


def pays(step_s: float, steps_left: int, first_step_s: float) -> bool:
    """Return whether a trial costs less than XLA may save.

    Args:
        step_s: seconds per step.
        steps_left: steps left in the run.
        first_step_s: seconds of the first step.
    """
    gain = _HOPED_GAIN if step_s < SHORT_S else _RARE_GAIN
    return step_s * steps_left * gain > COST * first_step_s


def check_compilable(model: keras.Model, jit_choice: str) -> None:
    """Refuse compiled steps for a model with a layer that XLA cannot compile. All ranks must call it.

    Raises:
        Uncompilable: names the layer.
    """
    reason = jit.reason_against(model, guard.original_step(model)) if jit_choice == "true" else None
    if reason:
        raise _refusal(reason)


class Compilation:
    """Decides about the steps of one model, and gives the model its compiled step. Every rank has one.

    All ranks call each method together.
    """

    def __init__(self, model: keras.Model, run: Run, spec: Any) -> None:
        """Prepare. `spec` is the `element_spec` of the batches."""
        self._model, self._run, self._spec = model, run, spec
        self._seconds: list[float] = []  # of the steps before the decision
        start = self._steps_done()
        self._due_at = FIRST_STEPS if start < FIRST_STEPS else start + FIRST_STEPS

    def begin(self) -> bool:
        """Return whether steps are compiled from the start: the plan says so, or the run has decided it.

        Raises:
            Uncompilable: the plan says so, and XLA cannot.
        """
        plan, run = self._run.plan, self._run
        if plan.jit == "false":
            run.compiled = False
        elif plan.jit == "true":
            run.compiled = True
        if not run.compiled:
            return False
        reason = self._obstacle() or self._attempt()
        if reason and plan.jit == "true":
            raise _refusal(reason)
        if reason:
            run.compiled = False
            _report(f"XLA cannot compile the steps here, as the checkpoint's were: {reason}")
        else:
            _report("XLA compiles forward and backward pass (jit)")
        return not reason

    @property
    def is_open(self) -> bool:
        """Whether the decision is still to come. Until then steps are taken one by one. The same on all ranks."""
        return self._run.compiled is None

    def note(self, logs: Mapping[str, Any], begin: float) -> None:
        """Note the time of a step before the decision, given its logs and `time.perf_counter()` at its begin."""
        if self.is_open:
            float(logs["loss"])  # waits for a GPU
            self._seconds.append(time.perf_counter() - begin)

    def decide(self) -> bool:
        """Return whether the steps are compiled from here on; the first call that has seen enough steps decides."""
        if not self.is_open or self._steps_done() < self._due_at:
            return False
        run = self._run
        left = run.plan.epochs * run.steps_per_epoch - self._steps_done()
        step_s, first_s = _slowest(statistics.median(self._seconds[-4:]), self._seconds[0])
        run.compiled = pays(step_s, left, first_s) and self._is_faster(step_s)
        return run.compiled

    def compiled_step(self) -> Any:
        """Give the model the compiled step as its `train_step`; return a function of an iterator that takes one."""
        compute = self._compiled
        if self._run.order.ends_short:
            compute = jit.for_full_batches(compute, self._plain, self._samples)
        guard.use_train_step(self._model, jit.train_step(self._model, compute))
        return single_step(self._model)

    @functools.cached_property
    def _compiled(self) -> Compute:
        return jit.gradient_function(self._model, self._spec, fast_forms=True)

    @functools.cached_property
    def _plain(self) -> Compute:
        return jit.gradient_function(self._model, self._spec, compiled=False)

    @property
    def _samples(self) -> int:
        """This rank's samples of a full step."""
        order = self._run.order
        full = min(order.global_batch_size, order.count)
        first, end = block_bounds(full, dist.rank(), dist.size(), order.shares)
        return max(1, end - first)

    def _is_faster(self, step_s: float) -> bool:
        """Return whether XLA saves time; log what was measured."""
        reason = self._obstacle() or self._attempt()
        if reason:
            _report(f"Steps stay as they are, because XLA cannot compile them: {reason} (jit)")
            return False
        plain_s, compiled_s = self._trial()
        is_faster = compiled_s < plain_s - _LEAST_GAIN * step_s
        times = f"{1e3 * compiled_s:.3g} ms compiled by XLA, {1e3 * plain_s:.3g} ms without"
        choice = "From here on XLA compiles steps" if is_faster else "Steps stay as they are"
        _report(f"{choice}: forward and backward pass take {times} (jit)")
        return is_faster

    def _obstacle(self) -> str:
        """Return why XLA cannot compile this model's steps, as far as it is known without trying; "" if it may."""
        if self._model.run_eagerly:
            return "the model runs eagerly"
        specs = tf.nest.flatten(self._spec)
        if any(type(spec) is not tf.TensorSpec or None in spec.shape[1:] for spec in specs):
            return "batches differ in shape, and each shape would be compiled"
        return jit.reason_against(self._model, guard.original_step(self._model)) or ""

    def _attempt(self) -> str:
        """Compile and run the pass once; return why that failed on a rank, "" if it did not."""
        reason = ""
        try:
            draw = other_draw(self._compiled.get_concrete_function().graph)
            if draw:
                reason = f"{draw} draws other random numbers there"
            else:
                with self._untouched():
                    self._called(self._compiled)(self._made_batch())
        except Exception as error:  # whatever a model's own layers and losses may raise inside XLA
            found = _NO_KERNEL.search(str(error))
            line = str(error).strip().splitlines()[0][:200] if str(error).strip() else ""
            reason = f"it has no {found[1]}" if found else line or type(error).__name__
        return next((text for text in dist.allgather(reason) if text), "")

    def _trial(self) -> tuple[float, float]:
        """Return the seconds of a pass as it is and compiled, each the slowest rank's median, measured in turns."""
        batch = self._made_batch()
        seconds: tuple[list[float], list[float]] = ([], [])
        plain, fast = self._called(self._plain), self._called(self._compiled)
        with self._untouched():
            plain(batch), fast(batch)  # traces them
            until = time.perf_counter() + _ROUNDS_S
            while len(seconds[0]) < _ROUNDS and (
                len(seconds[0]) < 3 or time.perf_counter() < until
            ):
                for compute, found in zip((plain, fast), seconds, strict=True):
                    begin = time.perf_counter()
                    float(compute(batch)[0])  # waits for a GPU
                    found.append(time.perf_counter() - begin)
        plain_s, compiled_s = _slowest(*map(statistics.median, seconds))
        return plain_s, compiled_s

    def _called(self, compute: Compute) -> Compute:
        """Return a function that calls another, as steps do. XLA compiles again what Python calls directly."""
        return tf.function(lambda data: compute(data), input_signature=[self._spec])

    def _made_batch(self) -> Any:
        """Return a full batch of random numbers, or of zeros for class numbers."""
        random = np.random.default_rng(0)

        def made(spec: Any) -> Any:
            shape = (self._samples, *spec.shape[1:])
            values = random.random(shape) if spec.dtype.is_floating else np.zeros(shape)
            return tf.cast(values, spec.dtype)

        return tf.nest.map_structure(made, self._spec)

    def _untouched(self) -> contextlib.AbstractContextManager[None]:
        """Restore what a forward pass changes in the model: moving statistics, states of random generators."""
        return restored([variable for variable in self._model.variables if not variable.trainable])

    def _steps_done(self) -> int:
        position = self._run.position
        return position.epoch * self._run.steps_per_epoch + position.step


def _refusal(reason: str) -> Uncompilable:
    return Uncompilable(
        f"Received: jit=true, but XLA cannot compile these steps: {reason}. Expected: jit=auto or false."
    )


def _slowest(*seconds: float) -> list[float]:
    """Return each time of the slowest rank. All ranks must call it."""
    return [float(value) for value in dist.allreduce(np.array(seconds), "max")]


def _report(line: str) -> None:
    if dist.is_root():
        logger.info("%s.", line)
