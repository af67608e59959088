"""Builds the model of a plan, and compiles it for all ranks."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

import keras

import ddl.distributed as dist
from ddl.boxes.layout import FIRST_CLASS
from ddl.data.central_crop import is_cropped
from ddl.distributed.keras_patches.guard import check_alone
from ddl.distributed.local_steps import Outer, attach_outer, local_optimizer
from ddl.models.detectors.layouts import layout_of
from ddl.models.zoo import build_model
from ddl.training.adversarial.build import compile_gan
from ddl.training.adversarial.model import gan_model
from ddl.training.data.training_data import TrainingData
from ddl.training.objectives.losses import LOSSES, build_loss
from ddl.training.objectives.metrics import WHOLE_METRICS, build_metric
from ddl.training.objectives.network_end import settle_loss
from ddl.training.objectives.sources import Settled, with_source
from ddl.training.optimization.full_batch import check_full_batch
from ddl.training.optimization.keras_schedule import build_schedule
from ddl.training.optimization.monitor import plateau_factor
from ddl.training.optimization.optimizers import build_optimizer, is_full_batch
from ddl.training.optimization.schedules import Course
from ddl.training.optimization.weight_decay import without_decay
from ddl.training.plan.plan import Plan
from ddl.training.probing.layers import check_probed
from ddl.training.run import Run

logger = logging.getLogger("ddl")


def plan_model(plan: Plan, data: TrainingData) -> keras.Model:
    """Return the plan's model with initial weights, the same on all ranks.

    Its input sides stay open if training, validation and test pictures differ in size, as with crops.
    """
    if plan.mixed_precision != "none":
        keras.config.set_dtype_policy(f"mixed_{plan.mixed_precision}")
    keras.utils.set_random_seed(plan.seed)
    shape = _input_shape(plan, data)
    if plan.is_adversarial:
        return gan_model(plan, data.input_shape, data.classes)
    model = build_model(plan.model, shape, data.classes, **plan.model_option)
    if isinstance(model, keras.Sequential):  # has no input or output names
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return model


def _input_shape(plan: Plan, data: TrainingData) -> Sequence[int | None]:
    """Return the shape of the model's input, with None for sides that differ between training and validation."""
    *sides, channels = data.input_shape
    held_out = data.held_out or (data.training,)
    shapes = {next(iter(samples.fields.values())).shape for samples in held_out}
    augmentation = plan.augmentation()
    has_crops = "crop_size" in plan.augment
    if augmentation is not None and plan.evaluation_crop != 1:
        if not all(map(is_cropped, held_out)):
            raise ValueError(
                f"Received: central_crop={plan.evaluation_crop:g} with whole validation samples of the script's own. "
                f"Expected: no central_crop, or CentrallyCropped(samples, {plan.evaluation_crop:g}) of "
                "ddl.data.central_crop."
            )
        # Random crops for training and the middle for validation often have one size.
        sides, has_crops = list(augmentation.crop_of(data.input_shape)), False
    if has_crops or shapes != {(*sides, channels)}:
        return (*[None] * len(sides), channels)
    return (*sides, channels)


def compile_model(model: keras.Model, run: Run) -> Any:
    """Compile the model with the plan's loss, metrics and distributed optimizer, and return its schedule.

    A deeply supervised model has several outputs, the finest first. All have the same loss, each with half the weight
    of the one before. Metrics are computed on the first.
    """
    plan = run.plan
    check_probed(model, plan.probe)
    if is_full_batch(plan.optimizer):
        check_full_batch(model)
    course = Course(
        plan.schedule,
        plan.learning_rate,
        steps_per_epoch=run.steps_per_epoch,
        epochs=plan.schedule_length,
        warmup_epochs=plan.warmup_epochs,
        warmup_from=plan.warmup_from,
        warmup_shape=plan.warmup_shape,
        scaling=plan.learning_rate_scaling,
        ranks=1.0 if plan.parallel == "local" else run.effective_ranks,  # those of a step
        options=plan.schedule_option,
    )
    learning_rate = build_schedule(course, has_plateau=plan.plateau_rule is not None)
    if plan.is_adversarial:
        compile_gan(model, run, learning_rate)
        return learning_rate
    plain = build_optimizer(plan.optimizer, learning_rate, **plan.optimizer_option)
    optimizer = _distributed(model, plan, plain)
    if plan.no_decay_on:
        excluded = without_decay(model.trainable_variables, plan.no_decay_on)
        optimizer.exclude_from_weight_decay(var_list=excluded)
    losses, settled = build_losses(model, plan)
    metrics = build_metrics(plan, plan.metric, settled.activation)
    _record(settled, run)
    if len(losses) == 1:
        model.compile(
            optimizer, losses[0], metrics=metrics, jit_compile=False
        )  # the plan's jit decides
        return learning_rate
    outputs = model.output_names
    run.main_output = outputs[0]
    model.compile(
        optimizer,
        dict(zip(outputs, losses, strict=True)),
        loss_weights={name: 0.5**level for level, name in enumerate(outputs)},
        metrics={outputs[0]: metrics},
        jit_compile=False,
    )
    return learning_rate


def _distributed(model: keras.Model, plan: Plan, optimizer: Any) -> keras.optimizers.Optimizer:
    """Return the optimizer for all ranks: it averages gradients, or with local steps the model averages weights."""
    if plan.parallel == "local":
        check_alone(model)
        outer = (plan.outer_optimizer, plan.outer_learning_rate, plan.outer_momentum)
        attach_outer(model, Outer(*outer, plan.compression))
        return local_optimizer(optimizer)
    return dist.DistributedOptimizer(
        optimizer, compression=plan.compression, gradient_norm=plan.notes_batches
    )


def build_losses(model: keras.Model, plan: Plan) -> tuple[list[keras.losses.Loss], Settled]:
    """Return the plan's loss for each output of a model, and what it takes the first one for.

    Raises:
        ValueError: the loss's option `source` contradicts the network.
    """
    known, options = LOSSES.options(plan.loss), plan.loss_option
    settled = [
        settle_loss(model, plan.loss, options, known, output)
        for output in range(len(model.outputs))
    ]
    if plan.predicts == "boxes":
        options = {**options, **_box_options(model, plan)}
    return [build_loss(plan.loss, **with_source(options, each)) for each in settled], settled[0]


def _box_options(model: keras.Model, plan: Plan) -> dict[str, Any]:
    """Return what the loss of a detector needs to know of it."""
    _, height, width, _ = model.input_shape
    classes = int(model.output_shape[-1]) - FIRST_CLASS
    layout = layout_of(plan.model, plan.model_option, classes)
    return {"layout": layout, "sides": (height, width)}


def build_metrics(plan: Plan, names: Sequence[str], activation: str) -> list[keras.metrics.Metric]:
    """Return metrics with the plan's options, for outputs that become probabilities by `activation`.

    Those of the whole validation are computed from its outputs.
    """
    return [
        build_metric(name, activation, **plan.options_of_metric(name))
        for name in names
        if name not in WHOLE_METRICS
    ]


def _record(settled: Settled, run: Run) -> None:
    """Store with the model what makes probabilities of its output, and log what users should know."""
    if settled.activation != "none":
        run.preprocessing = dataclasses.replace(run.preprocessing, activation=settled.activation)
    if settled.note and dist.is_root():
        logger.info("%s", settled.note)


def follow_plateau(run: Run, learning_rate: Any) -> None:
    """Update the factor of a plateau from the history, if the plan has one."""
    rule = run.plan.plateau_rule
    if rule is not None:
        values, mode = run.values(rule.monitor or run.plan.monitor), run.plan.mode_of(rule)
        full_rate = learning_rate.course.full_rate
        learning_rate.set_factor(plateau_factor(values, rule, mode=mode, full_rate=full_rate))
