"""The lines about a run that starts or ends early: what it reads, its size, where its results are; why it ends."""

from __future__ import annotations

import logging

import keras

import ddl.distributed as dist
from ddl.training.data.training_data import TrainingData
from ddl.training.ending import how_to_train_on, why_over
from ddl.training.run import Run

logger = logging.getLogger("ddl")


def announce(run: Run, model: keras.Model, data: TrainingData) -> None:
    """Log one line on the run that starts or resumes, or that it is complete."""
    if not dist.is_root():
        return
    plan = run.plan
    if run.is_over:
        done, remedy = len(run.history), how_to_train_on(plan, run.history)
        logger.info("%d of %d epochs are complete. To train on, %s.", done, plan.epochs, remedy)
        return
    for line in data.describe(plan):
        logger.info("%s.", line)
    for line in run.layers.splitlines() if plan.layer_table else ():
        logger.info("%s", line)
    size = f"{model.count_params():,}"
    if not plan.epochs:
        logger.info(
            "%d samples to evaluate, %s with %s weights, %d rank(s); results in %s.",
            data.counts[1], plan.model, size, dist.size(), plan.run_dir,
        )  # fmt: skip
        return
    logger.info(
        "%d training and %d validation samples, %s with %s weights, %d rank(s), %d steps an epoch; results in %s.",
        *data.counts, model.name if plan.is_adversarial else plan.model, size,
        run.order.size, run.steps_per_epoch, plan.run_dir,
    )  # fmt: skip


def announce_early_end(run: Run) -> None:
    """Log why a run is over before its last epoch, if it is."""
    if run.is_over and len(run.history) < run.plan.epochs:
        reason = why_over(run.plan, run.history)
        if run.ends_early:
            reason = "a callback set model.stop_training"
        logger.info("Training ends early: %s.", reason)
