"""Supervised steps of a small model on arrays, in the process of the test or on pooled ranks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np

import ddl.distributed as dist
from ddl.data.inputs_and_targets import ArraySamples
from ddl.data.order import Position, SampleOrder
from ddl.data.preprocessing import Preprocessing
from ddl.training.data.training_data import TrainingData
from ddl.training.run import Run
from ddl.training.steps.supervised import SupervisedSteps


class EndsUnevenly(SampleOrder):
    """An order that says so whatever the number of ranks."""

    ends_unevenly = True  # type: ignore[assignment]


def make_steps(
    model: keras.Model,
    inputs: np.ndarray,
    targets: np.ndarray,
    batch_size: int,
    order_class: type[SampleOrder] = SampleOrder,
    jit: str = "false",
    metric: tuple[str, ...] = (),
    notes_batches: bool = False,
) -> tuple[SupervisedSteps, Run]:
    """Return steps that train a compiled model on these samples, and the run that they belong to."""
    samples = ArraySamples(inputs, targets)
    plan: Any = SimpleNamespace(
        per_rank_batch_size=batch_size,
        data_threads=1,
        profile=0,
        augmentation=lambda: None,
        mixing=lambda: None,
        jit=jit,
        epochs=2,
        ignore_index=None,
        metric=metric,
        loss="mse",
        optimizer="sgd",
        notes_batches=notes_batches,
    )
    order = order_class("global", len(samples), batch_size, dist.size(), 0)
    how = Preprocessing(target="label", channels=1, classes=1)
    run = Run(plan, order, batch_size, "", how, Position())
    return SupervisedSteps(model, run, TrainingData(samples, samples, 1)), run


def questions(most: int) -> int:
    """Return how often ranks ask each other how many samples they have, in blocks of `most` steps."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(dist.DistributedOptimizer("sgd"), "mse")
    inputs = np.ones((6 * 5 * dist.size(), 4), np.float32)
    horovod: Any = dist.runtime.horovod()
    reduce, asked = horovod.allreduce, []

    def counting(*args: Any, **kwargs: Any) -> Any:
        asked.append(kwargs.get("name"))
        return reduce(*args, **kwargs)

    steps, run = make_steps(model, inputs, inputs[:, :1], 6)
    horovod.allreduce = counting
    try:
        with steps:
            while run.position.step < run.steps_per_epoch:
                run.advance(steps.take(most).count)
    finally:
        horovod.allreduce = reduce
    return asked.count("ddl.step_samples")
