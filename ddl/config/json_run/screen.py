"""What a run from a config says before it starts: devices, network, optimizer, loss, data. And its config, kept."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddl.config.json_run.ordering import Ordered
from ddl.config.json_run.printing import config_text
from ddl.distributed.job.launcher import placement, threads_per_rank
from ddl.files import write_whole
from ddl.training.plan.plan import Plan
from ddl.training.record.run_dir import spare_training
from ddl.training.train_command import Frame

if TYPE_CHECKING:
    from ddl.training.callbacks import Callbacks
    from ddl.training.run_setup import Setup

logger = logging.getLogger("ddl")

CONFIG = "config.json"
"""The config in a run directory, with all values."""


class Screen(Frame):
    """Sections about the run before it starts. Rank 0 speaks for all, and keeps the config."""

    def __init__(self, ordered: Ordered) -> None:
        self._ordered = ordered

    def before(self, setup: Setup) -> Callbacks:
        """Print the sections, and write RUN_DIR/config.json."""
        if placement().rank or setup.run.is_over:
            return ()
        for line in (*self._ordered.notes, *section_lines(setup)):
            logger.info("%s", line)
        text = config_text(self._ordered.settings, self._ordered.base)
        with spare_training("the config"):
            write = functools.partial(Path.write_text, data=text, encoding="utf-8")
            write_whole(setup.run.plan.run_dir / CONFIG, write)
        return ()


def section_lines(setup: Setup) -> Iterator[str]:
    """Yield lines on devices, network, optimizer, loss and data."""
    import tensorflow as tf

    plan, model, data, place = setup.run.plan, setup.model, setup.data, placement()
    gpus = len(tf.config.get_visible_devices("GPU"))
    device = (
        f"{gpus} GPU(s)" if gpus else f"{threads_per_rank(place.local_size)} thread(s) of the CPU"
    )
    yield f"Devices: {place.size} rank(s) on {len(set(setup.hosts))} machine(s), each with {device}"
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    yield (
        f"Network: {model.name}, {len(model.layers)} layers, {model.count_params():,} parameters, {trainable:,} of "
        f"them trainable; {_sides(model.input_shape)} to {_sides(model.output_shape)}"
    )
    yield from rule_lines(plan)
    order = setup.run.order
    shares = f"{order.global_batch_size} a step, at most {order.per_rank_batch_size} a rank"
    if plan.epochs:
        yield f"Data: {len(data.training)} training samples, {shares}, {setup.run.steps_per_epoch} steps an epoch"
    yield f"Data: {len(data.validation) if data.validation is not None else 0} test samples"
    for name in ("transform", "input_transform", "target_transform", "slicer"):
        for text in getattr(plan, name, ()):
            yield f"Data: {name.replace('_', ' ')} {text}"


def rule_lines(plan: Plan) -> Iterator[str]:
    """Yield lines on optimizer, schedule and loss."""
    if plan.epochs:
        options = _options(plan.optimizer_option)
        yield f"Optimizer: {plan.optimizer}, learning rate {plan.learning_rate:g}{options}"
    if plan.schedule != "constant":
        yield f"Schedule: {plan.schedule}{_options(plan.schedule_option)}"
    if plan.warmup_epochs and plan.warmup_from is not None:
        rise = f"{plan.warmup_epochs:g} epochs from {plan.warmup_from:g}, {plan.warmup_shape}"
        yield f"Schedule: warm-up of {rise}"
    yield f"Loss: {_loss_of_gan(plan) if plan.is_adversarial else plan.loss}{_options(plan.loss_option)}"


def _loss_of_gan(plan: Plan) -> str:
    own = {
        "wgan": f", clip={plan.clip:g}",
        "wgan_gp": f", gradient_penalty={plan.gradient_penalty:g}",
    }
    steps = f", {plan.critic_steps} update(s) of the discriminator for each of the generator"
    return f"{plan.gan_loss}{own.get(plan.gan_loss, '')}{steps}"


def _options(options: Mapping[str, Any]) -> str:
    return "".join(f", {name}={value}" for name, value in options.items())


def _sides(shape: Any) -> str:
    return "x".join("?" if side is None else str(side) for side in shape[1:])
