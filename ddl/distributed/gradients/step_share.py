"""How much of a global step each rank holds, so that ranks with uneven batches still make one global mean.

Inside `step_samples(count)` a distributed optimizer weighs this rank by its share of the step's samples, and
synchronized batch normalization counts only real rows. `uneven_batches` wraps the `train_step` of every model in it, so
that `fit` and custom train steps need nothing; a bare `GradientTape` loop with uneven batches enters it itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from ddl.distributed import runtime


class Block:
    """A stretch of code, true while it runs; it may run within itself."""

    def __init__(self) -> None:
        self._depth = 0

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1

    def __bool__(self) -> bool:
        return self._depth > 0


taking = Block()
"""A train or test step of `fit` or `evaluate`, traced or eager."""
even = Block()
"""Steps in which every rank is known to have as many samples as the others: nobody is asked how many."""


@dataclass
class StepShare:
    """This rank's part in the step that is being traced or run.

    Attributes:
        share: float64 scalar, this rank's samples over the mean per rank: 1 when all are equal, 0 without any.
        real: float64 scalar, 1, or 0 where this rank computes on a row of zeros because it has no sample.
        spans_ranks: whether this rank's loss hangs on other ranks' samples: with synchronized batch normalization.
        in_loss: whether `scale_loss` has put the share into the loss, so that gradients carry it already.
    """

    share: tf.Tensor
    real: tf.Tensor
    spans_ranks: bool = False
    in_loss: bool = False


_current: list[StepShare] = []


def current() -> StepShare | None:
    """Return the share of the step that this code is part of, or None outside of one."""
    return _current[-1] if _current else None


def spanning() -> StepShare | None:
    """Return the same, and note that the step's loss hangs on other ranks' samples."""
    share = current()
    if share is not None:
        share.spans_ranks = True
    return share


@contextlib.contextmanager
def step_samples(count: Any) -> Iterator[StepShare]:
    """Say that this rank's part of the step has `count` samples (a number or a scalar tensor).

    All ranks must enter it: their counts are summed, which overlaps with the computation.
    """
    count = tf.cast(count, tf.float64)
    if runtime.size() == 1:
        total = count
    else:
        hvd = runtime.horovod()
        total = hvd.allreduce(count, op=hvd.Sum, name="ddl.step_samples", ignore_name_scope=True)
    share = tf.where(total > 0, count * runtime.size() / tf.maximum(total, 1.0), 1.0)
    entry = StepShare(share, tf.cast(count > 0, tf.float64))
    _current.append(entry)
    try:
        yield entry
    finally:
        _current.pop()


def weighed(tensor: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """Return `tensor * share`, and 0 where the share is 0, whatever the tensor holds."""
    return tf.math.multiply_no_nan(tensor, tf.cast(share, tensor.dtype))
