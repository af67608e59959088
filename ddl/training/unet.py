"""Train the U-Net as a `UnetPlan` says, on every rank that the launcher started."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

import keras

import ddl.distributed as dist
from ddl.data import pipeline, sharding
from ddl.data.synthetic import microscope_pictures
from ddl.models.unet import build_unet
from ddl.training.dice import Dice
from ddl.training.files import write_whole
from ddl.training.plan import UnetPlan

logger = logging.getLogger("ddl")


def train(plan: UnetPlan) -> dict[str, list[float]]:
    """Train, and return the history: a list a metric, a value an epoch, the same on all ranks.

    All ranks must call it, after `ddl.distributed.init()`. Rank 0 writes `plan.json`, `history.jsonl` and
    `model.keras` (without optimizer) into the run directory.
    """
    if dist.is_root():
        write_whole(plan.run_dir / "plan.json", lambda path: path.write_text(plan.to_json()))
    if plan.mixed_precision != "none":
        keras.config.set_dtype_policy(f"mixed_{plan.mixed_precision}")
    keras.utils.set_random_seed(plan.seed)
    images, masks = microscope_pictures(
        plan.samples + plan.validation_samples, plan.image_size, plan.seed
    )
    shard = {
        "per_rank_batch_size": plan.per_rank_batch_size,
        "rank": dist.rank(),
        "size": dist.size(),
    }
    steps = sharding.steps_per_epoch(plan.samples, plan.per_rank_batch_size * dist.size())
    model = build_model(plan, steps)
    history = model.fit(
        pipeline.training_batches(
            images[: plan.samples], masks[: plan.samples], seed=plan.seed, **shard
        ),
        validation_data=pipeline.evaluation_batches(
            images[plan.samples :], masks[plan.samples :], **shard
        ),
        steps_per_epoch=steps,
        validation_steps=sharding.evaluation_steps(
            plan.validation_samples, plan.per_rank_batch_size, dist.size()
        ),
        shuffle=False,  # the batches are in the epoch's order already
        epochs=plan.epochs,
        verbose=0,
        callbacks=[*dist.standard_callbacks(), _Report(plan)],
    )
    if dist.is_root():
        write_whole(plan.run_dir / "model.keras", lambda path: _save(model, path))
    found: dict[str, list[float]] = history.history
    return found


def build_model(plan: UnetPlan, steps_per_epoch: int) -> keras.Model:
    """Return the plan's U-Net, compiled with a distributed optimizer."""
    model = build_unet(
        (plan.image_size, plan.image_size, 3), width=plan.width, depth=plan.depth, norm=plan.norm
    )
    learning_rate = dist.scaled_learning_rate(
        plan.learning_rate,
        scaling=plan.learning_rate_scaling,
        warmup_steps=round(plan.warmup_epochs * steps_per_epoch),
    )
    optimizer = dist.DistributedOptimizer(
        keras.optimizers.Adam(learning_rate), compression=plan.compression
    )
    model.compile(optimizer, "binary_crossentropy", metrics=[Dice()])
    return model


class _Report(keras.callbacks.Callback):
    """A line an epoch, on the screen and in `history.jsonl`, from rank 0."""

    def __init__(self, plan: UnetPlan) -> None:
        super().__init__()
        self._plan = plan
        self._start = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not dist.is_root():
            return
        seconds = time.perf_counter() - self._start
        facts = {"epoch": epoch + 1, "seconds": round(seconds, 3)}
        facts |= {name: float(value) for name, value in logs.items()}
        with (self._plan.run_dir / "history.jsonl").open("a") as file:
            file.write(json.dumps(facts) + "\n")
        numbers = "  ".join(f"{name} {value:.4f}" for name, value in logs.items())
        rate = self._plan.samples / seconds
        logger.info("epoch %d/%d  %s  %.1f images/s", epoch + 1, self._plan.epochs, numbers, rate)


def _save(model: keras.Model, path: Path) -> None:
    """Save without optimizer and loss, so that plain Keras loads it."""
    keras.Model(model.inputs, model.outputs, name=model.name).save(path)
