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
from ddl.files import write_whole
from ddl.models.unet import build_unet
from ddl.training.dice import Dice
from ddl.training.plan import UnetPlan
from ddl.training.unet_data import UnetData, open_data

logger = logging.getLogger("ddl")


def train(plan: UnetPlan, data: UnetData | None = None) -> dict[str, list[float]]:
    """Train, and return the history: a list a metric, a value an epoch, the same on all ranks.

    All ranks must call it, after `ddl.distributed.init()`. Rank 0 writes `plan.json`, `history.jsonl` and
    `model.keras` (without optimizer) into the run directory.

    Args:
        plan: what to train.
        data: what `open_data(plan)` returns, where the caller has opened it already.
    """
    data = data or open_data(plan)
    if dist.is_root():
        write_whole(plan.run_dir / "plan.json", lambda path: path.write_text(plan.to_json()))
    if plan.mixed_precision != "none":
        keras.config.set_dtype_policy(f"mixed_{plan.mixed_precision}")
    keras.utils.set_random_seed(plan.seed)
    shard = {
        "per_rank_batch_size": plan.per_rank_batch_size,
        "rank": dist.rank(),
        "size": dist.size(),
    }
    count = len(data.training)
    steps = sharding.steps_per_epoch(count, plan.per_rank_batch_size * dist.size())
    model = build_model(plan, data.picture_shape, steps)
    history = model.fit(
        pipeline.training_batches(data.training, seed=plan.seed, **shard),
        validation_data=pipeline.evaluation_batches(data.validation, **shard),
        steps_per_epoch=steps,
        validation_steps=sharding.evaluation_steps(
            len(data.validation), plan.per_rank_batch_size, dist.size()
        ),
        shuffle=False,  # the batches are in the epoch's order already
        epochs=plan.epochs,
        verbose=0,
        callbacks=[*dist.standard_callbacks(), _Report(plan, count)],
    )
    if dist.is_root():
        write_whole(plan.run_dir / "model.keras", lambda path: _save(model, path))
    found: dict[str, list[float]] = history.history
    return found


def build_model(
    plan: UnetPlan, picture_shape: tuple[int, int, int], steps_per_epoch: int
) -> keras.Model:
    """Return the plan's U-Net, compiled with a distributed optimizer."""
    model = build_unet(picture_shape, width=plan.width, depth=plan.depth, norm=plan.norm)
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

    def __init__(self, plan: UnetPlan, samples: int) -> None:
        super().__init__()
        self._plan, self._samples = plan, samples
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
        rate = self._samples / seconds
        logger.info("epoch %d/%d  %s  %.1f images/s", epoch + 1, self._plan.epochs, numbers, rate)


def _save(model: keras.Model, path: Path) -> None:
    """Save without optimizer and loss, so that plain Keras loads it."""
    keras.Model(model.input, model.output, name=model.name).save(path)
