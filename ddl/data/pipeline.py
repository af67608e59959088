"""From samples to batches: one rank's part of every global step, read ahead of the training."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from ddl.data import sharding
from ddl.data.order import Position, SampleOrder
from ddl.data.source import Source

Batch = tuple[np.ndarray, ...]


def training_batches(
    samples: Source,
    *,
    per_rank_batch_size: int,
    rank: int,
    size: int,
    seed: int,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Return an endless dataset of this rank's batches, epoch after epoch, each in an order of its own.

    Give `fit` its `steps_per_epoch`: `sharding.steps_per_epoch(len(samples), per_rank_batch_size * size)`. The last
    step of an epoch may hold fewer samples, on some ranks none.
    """
    order = SampleOrder("global", len(samples), per_rank_batch_size, size, seed)

    def batches() -> Iterator[Batch]:
        for _, indices in order.after(Position(first_epoch), rank):
            yield tuple(samples.read(indices).values())

    return _dataset(batches, samples)


def evaluation_batches(
    samples: Source, *, per_rank_batch_size: int, rank: int, size: int
) -> tf.data.Dataset:
    """Return this rank's block of the samples, in order, in the same number of steps on every rank."""
    start, end = sharding.shard_bounds(len(samples), rank, size)
    steps = sharding.evaluation_steps(len(samples), per_rank_batch_size, size)

    def batches() -> Iterator[Batch]:
        for step in range(steps):
            first = min(start + step * per_rank_batch_size, end)
            indices = np.arange(first, min(first + per_rank_batch_size, end))
            yield tuple(samples.read(indices).values())

    return _dataset(batches, samples)


def _dataset(batches: Callable[[], Iterator[Batch]], samples: Source) -> tf.data.Dataset:
    fields = samples.fields.values()
    signature = tuple(tf.TensorSpec((None, *field.shape), field.dtype) for field in fields)
    # tf.data's autotuner stalls the end of every epoch by up to seconds (its background thread sleeps).
    options = tf.data.Options()
    options.autotune.enabled = False
    return (
        tf.data.Dataset.from_generator(batches, output_signature=signature)
        .prefetch(2)
        .with_options(options)
    )
