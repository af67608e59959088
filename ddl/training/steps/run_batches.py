"""The batches of a run, of training samples and of held-out ones; and a model's results over all ranks."""

from __future__ import annotations

from typing import Any

import keras

import ddl.distributed as dist
from ddl.data import sharding
from ddl.data.batches import pipeline
from ddl.data.order import Position, SampleOrder
from ddl.data.source import Source
from ddl.distributed.job.launcher import threads_per_rank
from ddl.distributed.state import reduced_metrics
from ddl.training.data.training_data import TrainingData
from ddl.training.optimization.optimizers import is_full_batch
from ddl.training.run import Run

Place = tuple[int, int]
"""Which part of the samples to read, and how many parts there are: a rank and their number."""


def open_batches(
    run: Run, data: TrainingData, order: SampleOrder | None = None, place: Place | None = None
) -> tuple[pipeline.Batches, list[pipeline.Batches]]:
    """Return training batches from the run's position on, and those of the validation, if there is one.

    `order` and `place` are those of `open_training`.
    """
    held_out = [] if data.validation is None else [held_out_batches(run, data.validation, place)]
    return open_training(run, data, order, place=place), held_out


def open_training(
    run: Run,
    data: TrainingData,
    order: SampleOrder | None = None,
    start: Position | None = None,
    place: Place | None = None,
) -> pipeline.Batches:
    """Return training batches.

    Args:
        run: the run.
        data: its data.
        order: which rank reads which samples when; by default the run's.
        start: the first step; by default the run's position.
        place: which of how many parts to read; by default this rank's.
    """
    return pipeline.training_batches(
        data.training,
        order=order or run.order,
        rank=(place or _own_place())[0],
        start=start or run.position,
        augmentation=run.plan.augmentation(),
        ignore_index=run.plan.ignore_index,
        threads=data_threads(run),
        normalization=run.preprocessing.normalization,
        mixing=run.plan.mixing(),
        classes=data.classes,
        epochs=run.plan.epochs,
    )


def held_out_steps(run: Run, samples: Source) -> int:
    """Return the steps in which all ranks together see these samples once."""
    return sharding.evaluation_steps(len(samples), samples_at_once(run), dist.size())


def held_out_batches(run: Run, samples: Source, place: Place | None = None) -> pipeline.Batches:
    """Return batches of these samples, each once, prepared as the run's inputs are; by default this rank's."""
    rank, size = place or _own_place()
    return pipeline.evaluation_batches(
        samples,
        per_rank_batch_size=samples_at_once(run),
        rank=rank,
        size=size,
        threads=data_threads(run),
        normalization=run.preprocessing.normalization,
    )


def _own_place() -> Place:
    return dist.rank(), dist.size()


def samples_at_once(run: Run) -> int:
    """Return how many samples of this rank pass through the model at once."""
    if is_full_batch(run.plan.optimizer):  # the step has all samples, which memory may not
        whole = run.plan.global_batch_size
        return -(-whole // dist.size()) if whole else run.plan.per_rank_batch_size
    return run.order.per_rank_batch_size


def data_threads(run: Run) -> int:
    """Return how many threads of this rank read samples."""
    return run.plan.data_threads or threads_per_rank(dist.local_size())


def global_results(model: keras.Model) -> dict[str, Any]:
    """Return losses and metrics over the samples of all ranks. All ranks must call it."""
    if dist.size() > 1:
        return reduced_metrics.reduced_results(model)
    return dict(model.get_metrics_result())
