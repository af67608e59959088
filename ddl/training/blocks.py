"""Several steps in one call of TensorFlow, for models whose steps are shorter than what Python does between them.

Keras's own `steps_per_execution` fixes the number when a model is compiled, steps over the end of an epoch into the
next one, and shows callbacks every k-th step alone. Here `fit` counts single steps as ever. What it calls for each of
them takes none until a block is full, or the epoch at its end, and then the whole block: the same steps with the same
batches, to the bit. The size may change at any time, on all ranks together.
"""

from __future__ import annotations

import math
import time
from typing import Any

import keras
import tensorflow as tf

from ddl.distributed.step import even

_BLOCK_S = 0.25
"""A block takes about so long: a stop request, and the next look at a terminal, wait for its end."""
MOST_STEPS = 64
_SAVED_S = 1e-3
"""About what Python and TensorFlow do around the call of one step: 1 to 1.8 ms were measured on one thread."""
_WORTH_S = 0.05
"""Steps that take longer gain under 2%."""


def block_size(step_s: float, steps_left: int, trace_s: float) -> int:
    """Return how many steps are worth being taken together.

    Args:
        step_s: that one takes, with all that is done around it.
        steps_left: of the training.
        trace_s: that TensorFlow takes once to get ready for it, as for the first step; 0 where it is ready.
    """
    if step_s >= _WORTH_S or steps_left * _SAVED_S < trace_s:
        return 1
    return min(MOST_STEPS, max(1, math.ceil(_BLOCK_S / max(step_s, 1e-6))))


class Blocks(keras.callbacks.Callback):
    """Takes the steps of `fit` in blocks. All ranks have one, with the same size at the same step.

    Stands before callbacks that look at a step's weights or losses: these ask `taken` first.

    Attributes:
        size: steps a block, from the next one on. The last of an epoch may be shorter.
        taken: steps that the last call took: 0 while a block fills.
        losses: of the steps that were taken and not looked at yet, as tensors of one value a step.
        first_s: seconds of the first step, most of them for its tracing.
    """

    def __init__(self, size: int = 1, single_first: int = 0, *, last_alone: bool) -> None:
        """Get ready.

        Args:
            size: steps a block.
            single_first: steps at the beginning that are taken one by one whatever the size.
            last_alone: whether an epoch's last step is in no block, because ranks have different numbers of samples in
                it. In all the others they have the same, so that a block need not ask.
        """
        super().__init__()
        self.size = size
        self._single_first, self._last_alone = single_first, last_alone
        self.taken = 0
        self.first_s = 0.0
        self.losses: list[Any] = []
        self._left = self._waiting = 0
        self._logs: dict[str, Any] = {}
        self._single: Any = None
        self._several: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Stand between `fit` and its step; where only a validation is made good, there is none."""
        if self.model.train_function not in (None, self._call):
            self._single, self._several = self.model.train_function, None
            self.model.train_function = self._call

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Count from the epoch's first step."""
        self._left, self._waiting, self._logs = self.params["steps"], 0, {}

    def pop_losses(self) -> list[float]:
        """Return the losses of the steps since the last call, in order."""
        losses = [float(loss) for part in self.losses for loss in part.numpy().ravel()]
        self.losses.clear()
        return losses

    def _call(self, iterator: Any) -> dict[str, Any]:
        """Take a block of steps where one is full, and return the logs of the last step that was taken."""
        self._waiting += 1
        self._left -= 1
        size = self.size if self._single_first <= 0 else 1
        self._single_first -= 1
        if self._waiting < size and self._left > self._last_alone:
            self.taken = 0
            return self._logs
        self.taken, self._waiting = self._waiting, 0
        begin = time.perf_counter()
        if self.taken == 1 or self.model.run_eagerly:
            for _ in range(self.taken):
                self._logs = self._single(iterator)
                self.losses.append(tf.convert_to_tensor(self._logs["loss"]))
        else:
            self._several = self._several or several_steps(self.model)
            logs, losses = self._several(iterator, tf.constant(self.taken))
            # Keras makes numbers of them at each step that it counts, which is slow where they are tensors.
            self._logs = tf.nest.map_structure(lambda value: value.numpy(), logs)
            self.losses.append(losses)
        self.first_s = self.first_s or time.perf_counter() - begin
        return self._logs


def several_steps(model: keras.Model) -> Any:
    """Return a function of an iterator and a number of steps: the logs of the last one, and the loss of each."""
    step = tf.function(model.train_step, reduce_retracing=True, jit_compile=model.jit_compile)

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def several(iterator: Any, count: Any) -> Any:
        with even:  # while it is traced
            return taken_together(iterator, count)

    def taken_together(iterator: Any, count: Any) -> Any:
        outputs = step.get_concrete_function(iterator.element_spec).structured_outputs
        empty = tf.nest.map_structure(lambda one: tf.zeros(one.shape, one.dtype), outputs)
        losses = tf.TensorArray(outputs["loss"].dtype, size=count)

        def take(number: Any, losses: Any, _: Any) -> Any:
            logs = step(iterator.get_next())
            return number + 1, losses.write(number, logs["loss"]), logs

        _, losses, logs = tf.while_loop(
            lambda number, *_: number < count, take, (tf.constant(0), losses, empty)
        )
        return logs, losses.stack()

    return several
