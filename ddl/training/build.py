"""A plan's model, compiled for all ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

import ddl.distributed as dist
from ddl.models.zoo import build_model
from ddl.training.data.training_data import TrainingData
from ddl.training.objectives.losses import build_loss
from ddl.training.objectives.metrics import build_metric
from ddl.training.optimization.optimizers import build_optimizer
from ddl.training.optimization.plateau import plateau_factor
from ddl.training.optimization.schedules import build_schedule
from ddl.training.plan.plan import Plan
from ddl.training.run import Run


def plan_model(plan: Plan, data: TrainingData) -> keras.Model:
    """Return the plan's model with fresh weights, the same on all ranks.

    Sides stay open where training sees crops and validation whole pictures.
    """
    if plan.mixed_precision != "none":
        keras.config.set_dtype_policy(f"mixed_{plan.mixed_precision}")
    keras.utils.set_random_seed(plan.seed)
    shape: Sequence[int | None] = data.input_shape
    other = next(iter(data.validation.fields.values())).shape
    if "crop_size" in plan.augment or other != shape:
        shape = (*[None] * (len(shape) - 1), shape[-1])
    model = build_model(plan.model, shape, data.classes, **plan.model_option)
    if isinstance(model, keras.Sequential):  # which has no input or output names
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return model


def compile_model(model: keras.Model, run: Run) -> Any:
    """Compile the model with the plan's loss, metrics and distributed optimizer, and return its learning rate.

    A deeply supervised model has several outputs, the finest first: each has the same loss, weighed by half of the
    one before; metrics look at the first.
    """
    plan = run.plan
    learning_rate = build_schedule(
        plan.schedule,
        learning_rate=plan.learning_rate,
        scaling=plan.learning_rate_scaling,
        ranks=run.effective_ranks,
        steps_per_epoch=run.steps_per_epoch,
        warmup_epochs=plan.warmup_epochs,
        epochs=plan.schedule_length,
        **plan.schedule_option,
    )
    optimizer = dist.DistributedOptimizer(
        build_optimizer(plan.optimizer, learning_rate, **plan.optimizer_option),
        compression=plan.compression,
    )
    metrics = [build_metric(name, **plan.metric_option.get(name, {})) for name in plan.metric]
    if len(model.outputs) == 1:
        model.compile(optimizer, build_loss(plan.loss, **plan.loss_option), metrics=metrics)
        return learning_rate
    outputs = model.output_names
    run.main_output = outputs[0]
    model.compile(
        optimizer,
        {name: build_loss(plan.loss, **plan.loss_option) for name in outputs},
        loss_weights={name: 0.5**level for level, name in enumerate(outputs)},
        metrics={outputs[0]: metrics},
    )
    return learning_rate


def follow_plateau(run: Run, learning_rate: Any) -> None:
    """Set what a learning rate of the schedule "plateau" has come down to; leave every other schedule alone."""
    plan = run.plan
    if plan.schedule == "plateau":
        values = run.values(plan.monitor)
        factor = plateau_factor(values, mode=plan.mode, **plan.schedule_option)
        learning_rate.set_factor(factor)
