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
from ddl.training.parallel.rounds import round_order
from ddl.training.run import Run


def open_batches(run: Run, data: TrainingData) -> tuple[pipeline.Batches, list[pipeline.Batches]]:
    """Return this rank's training batches from the run's position on, and those of the validation, if there is one."""
    held_out = data.validation
    return open_training(run, data), [] if held_out is None else [held_out_batches(run, held_out)]


def open_training(
    run: Run, data: TrainingData, order: SampleOrder | None = None, start: Position | None = None
) -> pipeline.Batches:
    """Return this rank's training batches.

    Args:
        run: the run.
        data: its data.
        order: which rank reads which samples when; by default the run's, for local steps in rounds.
        start: the first step; by default the run's position.
    """
    is_local = run.plan.parallel == "local"
    return pipeline.training_batches(
        data.training,
        order=order or (round_order(run.order, run.plan) if is_local else run.order),
        rank=dist.rank(),
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


def held_out_batches(run: Run, samples: Source) -> pipeline.Batches:
    """Return this rank's batches of these samples, each once, prepared as the run's inputs are."""
    return pipeline.evaluation_batches(
        samples,
        per_rank_batch_size=samples_at_once(run),
        rank=dist.rank(),
        size=dist.size(),
        threads=data_threads(run),
        normalization=run.preprocessing.normalization,
    )


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
