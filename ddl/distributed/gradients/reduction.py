"""Gradient arithmetic over ranks: averages, weights and checks for dense, sparse and missing gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import tensorflow as tf

from ddl.distributed import runtime
from ddl.distributed.gradients import compression as wire
from ddl.distributed.gradients import step_share, traffic
from ddl.distributed.gradients.buckets import bucket_bytes, in_buckets
from ddl.distributed.gradients.gradient_norm import GradientNorm
from ddl.distributed.timing.reduction_timer import timed

Gradient: TypeAlias = Any  # tf.Tensor, tf.IndexedSlices or None


@dataclass(frozen=True)
class Reduction:
    """How the gradients of an optimizer are averaged.

    Attributes:
        compression: gradient dtype on the wire: "none" (unchanged), "fp16" or "bf16".
        sparse_as_dense: whether sparse gradients are made dense first. Gathering sparse gradients needs memory for
            every row that any rank touched; a dense gradient needs that of the whole table.
        norm: gets the norm of each update's gradient; None for none.
        is_local: whether each rank applies its own gradients: `ddl.distributed.local_steps` averages the weights later.
    """

    compression: str = "none"
    sparse_as_dense: bool = False
    norm: GradientNorm | None = None
    is_local: bool = False

    @property
    def is_due(self) -> bool:
        """Whether an optimizer with it reduces its gradients."""
        return runtime.size() > 1 and not self.is_local

    def average(self, gradients: Sequence[Gradient]) -> list[Gradient]:
        """Return the mean over ranks; None stays None. All ranks must call it with the same variables."""
        averaged: list[Gradient] = timed(list(gradients), lambda: self._averaged(gradients))
        return averaged

    def _averaged(self, gradients: Sequence[Gradient]) -> list[Gradient]:
        averaged = list(gradients)
        if self.sparse_as_dense:
            averaged = [_dense(gradient) for gradient in averaged]
        dense = {i: g for i, g in enumerate(averaged) if isinstance(g, tf.Tensor)}
        sparse = {i: g for i, g in enumerate(averaged) if isinstance(g, tf.IndexedSlices)}
        places = list(dense)
        sizes = [g.dtype.size * (g.shape.num_elements() or 0) for g in dense.values()]
        for bucket in in_buckets(sizes, bucket_bytes()):
            chosen = [places[number] for number in bucket]
            means = wire.average([dense[place] for place in chosen], self.compression)
            averaged = _replaced(averaged, dict(zip(chosen, means, strict=True)))
        if sparse:
            averaged = _replaced(averaged, _average_sparse(sparse))
        return averaged


def is_local(optimizer: Any) -> bool:
    """Return whether each rank applies its own gradients with this optimizer."""
    parts = (optimizer, getattr(optimizer, "inner_optimizer", None))
    return any(getattr(part, "_ddl_reduction", Reduction()).is_local for part in parts)


def share_weighed(gradients: Sequence[Gradient]) -> list[Gradient]:
    """Return the gradients times this rank's share of the step, unless its loss already contains the share."""
    share = step_share.current()
    if share is None or share.in_loss:
        return list(gradients)
    present = [g for g in gradients if g is not None]
    values = [_values(g) for g in present]
    weighed = timed(
        values,
        lambda: tf.cond(
            tf.equal(share.share, 1.0),  # true in all steps except the last one of an epoch
            lambda: values,
            lambda: [step_share.weighed(value, share.share) for value in values],
        ),
    )
    by_gradient = iter(weighed)
    return [_mapped(g, lambda _: next(by_gradient)) for g in gradients]


def times_ranks(gradients: Sequence[Gradient]) -> list[Gradient]:
    """Return the gradients times the number of ranks."""
    return [_mapped(gradient, lambda values: values * runtime.size()) for gradient in gradients]


def agreed_finite(gradients: list[Gradient]) -> list[Gradient]:
    """Return the gradients, or NaN on every rank if any rank has a gradient that is not finite."""
    present = [g for g in gradients if g is not None]
    finite = [tf.reduce_all(tf.math.is_finite(tf.convert_to_tensor(_values(g)))) for g in present]
    hvd = runtime.horovod()
    mine = tf.cast(tf.reduce_all(finite), tf.int32)
    all_finite = timed([mine], lambda: hvd.allreduce(mine, op=hvd.Min))
    poison = tf.where(all_finite > 0, 0.0, float("nan"))
    return [_mapped(g, lambda values: values + tf.cast(poison, values.dtype)) for g in gradients]


def _average_sparse(sparse: dict[int, tf.IndexedSlices]) -> dict[int, tf.IndexedSlices]:
    """Gather the rows of all ranks. Horovod's grouped all-reduce confuses shapes of sparse and dense tensors."""
    hvd, size = runtime.horovod(), runtime.size()
    for slices in sparse.values():
        traffic.count([slices.values, slices.indices])
    values = hvd.grouped_allgather([slices.values / size for slices in sparse.values()])
    indices = hvd.grouped_allgather([slices.indices for slices in sparse.values()])
    gathered = zip(sparse.items(), values, indices, strict=True)
    return {i: tf.IndexedSlices(v, at, slices.dense_shape) for (i, slices), v, at in gathered}


def _replaced(items: list[Gradient], new: dict[int, Gradient]) -> list[Gradient]:
    return [new.get(i, item) for i, item in enumerate(items)]


def _dense(gradient: Gradient) -> Gradient:
    return tf.convert_to_tensor(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient


def _values(gradient: tf.Tensor | tf.IndexedSlices) -> tf.Tensor:
    return gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient


def _mapped(gradient: Gradient, function: Any) -> Gradient:
    if gradient is None:
        return None
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(function(gradient.values), gradient.indices, gradient.dense_shape)
    return function(gradient)
