"""Each rank's share of a global step, so that ranks with uneven batches still compute one global mean.

Inside `step_samples(count)` a distributed optimizer weights this rank by its share of the step's samples, and
synchronized batch normalization counts only real rows. `uneven_batches` wraps every model's `train_step` in it,
so `fit` and custom train steps need no change. A `GradientTape` loop with uneven batches must enter it itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from ddl.distributed import runtime


class Block:
    """A context manager that is true while its block runs. It can be nested."""

    def __init__(self) -> None:
        self._depth = 0

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1

    def __bool__(self) -> bool:
        return self._depth > 0


taking = Block()
"""True during a train or test step of `fit` or `evaluate`, traced or eager."""
even = Block()
"""True during steps in which all ranks are known to have equally many samples: counts are not exchanged."""


known_shares: list[tf.Variable] = []
"""Where it is not empty, `even` steps have shares that all ranks know: the last one holds this rank's."""


@contextlib.contextmanager
def known_share(share: tf.Variable) -> Iterator[None]:
    """Inside this `with` block, steps are traced that read this rank's share from a variable.

    Shares may then differ between ranks, and change between calls, without an exchange of counts. Each rank has at
    least one sample in each of these steps.

    Args:
        share: float64 scalar, as `StepShare.share`.
    """
    known_shares.append(share)
    try:
        with even:
            yield
    finally:
        known_shares.pop()


@dataclass
class StepShare:
    """This rank's share of the step that is being traced or run.

    Attributes:
        share: float64 scalar, this rank's samples divided by the mean per rank: 1 if all are equal, 0 if it has none.
        real: float64 scalar, 1, or 0 if this rank has no sample and computes on a row of zeros.
        spans_ranks: whether this rank's loss depends on other ranks' samples, as with synchronized batch normalization.
        in_loss: whether `scale_loss` has multiplied the loss by the share, so that gradients contain it.
    """

    share: tf.Tensor
    real: tf.Tensor
    spans_ranks: bool = False
    in_loss: bool = False


_current: list[StepShare] = []


def current() -> StepShare | None:
    """Return the share of the current step, or None outside a step."""
    return _current[-1] if _current else None


def spanning() -> StepShare | None:
    """Return `current()`, and record that the step's loss depends on other ranks' samples."""
    share = current()
    if share is not None:
        share.spans_ranks = True
    return share


@contextlib.contextmanager
def step_samples(count: Any) -> Iterator[StepShare]:
    """Declare that this rank's part of the step has `count` samples (a number or a scalar tensor).

        with dist.step_samples(len(x)):
            train_on(x, y)  # loss, gradients and update

    All ranks must enter it: their counts are summed while the step is computed.
    """
    count = tf.cast(count, tf.float64)
    if runtime.size() == 1:
        total = count
    else:
        hvd = runtime.horovod()
        total = hvd.allreduce(count, op=hvd.Sum, name="ddl.step_samples", ignore_name_scope=True)
    share = tf.where(total > 0, count * runtime.size() / tf.maximum(total, 1.0), 1.0)
    with _entered(StepShare(share, tf.cast(count > 0, tf.float64))) as entry:
        yield entry


def declared(count: Any) -> contextlib.AbstractContextManager[Any]:
    """Return `step_samples(count)`; in `even` steps, the share that is known, or nothing where all are equal."""
    if not even:
        return step_samples(count)
    if known_shares:
        share = known_shares[-1].read_value()
        return _entered(StepShare(share, tf.ones_like(share)))
    return contextlib.nullcontext()


@contextlib.contextmanager
def _entered(entry: StepShare) -> Iterator[StepShare]:
    _current.append(entry)
    try:
        yield entry
    finally:
        _current.pop()


def sample_count(data: Any) -> int | tf.Tensor:
    """Return the number of samples in a step's data: a number if it is known at tracing."""
    leaf = next(leaf for leaf in tf.nest.flatten(data) if leaf is not None)
    known = leaf.shape[0]
    return known if known else tf.shape(leaf)[0]


def weighed(tensor: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """Return `tensor * share`, and 0 where the share is 0, even if the tensor is NaN or infinite."""
    return tf.math.multiply_no_nan(tensor, tf.cast(share, tensor.dtype))
