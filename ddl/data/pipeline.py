"""From samples to batches: one rank's part of every global step, read ahead of the training."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from ddl.data import sharding
from ddl.data.samples import Samples

Batch = tuple[np.ndarray, np.ndarray]


def training_batches(
    samples: Samples,
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
    global_batch_size = per_rank_batch_size * size
    steps = sharding.steps_per_epoch(len(samples), global_batch_size)

    def batches() -> Iterator[Batch]:
        epoch = first_epoch
        while True:
            order = sharding.epoch_order(len(samples), epoch, seed)
            for step in range(steps):
                mine = sharding.step_indices(order, step, global_batch_size, rank, size)
                yield samples.read(mine)
            epoch += 1

    return _dataset(batches, samples)


def evaluation_batches(
    samples: Samples, *, per_rank_batch_size: int, rank: int, size: int
) -> tf.data.Dataset:
    """Return this rank's block of the samples, in order, in the same number of steps on every rank."""
    start, end = sharding.shard_bounds(len(samples), rank, size)
    steps = sharding.evaluation_steps(len(samples), per_rank_batch_size, size)

    def batches() -> Iterator[Batch]:
        for step in range(steps):
            first = min(start + step * per_rank_batch_size, end)
            yield samples.read(np.arange(first, min(first + per_rank_batch_size, end)))

    return _dataset(batches, samples)


def _dataset(batches: Callable[[], Iterator[Batch]], samples: Samples) -> tf.data.Dataset:
    signature = tuple(tf.TensorSpec((None, *field.shape), field.dtype) for field in samples.fields)
    # tf.data's autotuner stalls the end of every epoch by up to seconds (its background thread sleeps).
    options = tf.data.Options()
    options.autotune.enabled = False
    return (
        tf.data.Dataset.from_generator(batches, output_signature=signature)
        .prefetch(2)
        .with_options(options)
    )
