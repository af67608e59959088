"""The program that measures one model: training by our loop, then inference, in a process of its own."""

from __future__ import annotations

import dataclasses
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import ddl.distributed as dist
from ddl.benchmark.plans import plan_of
from ddl.benchmark.trial import Trial
from ddl.benchmark.trials import EpochClock, throughput
from ddl.benchmark.zoo.request import MEMORY_MB
from ddl.data.source import Source, Subset
from ddl.data.sources.arrays import Arrays
from ddl.distributed.job.quiet import loading_tensorflow
from ddl.models.zoo import target_of
from ddl.training.data.training_data import TrainingData, as_samples
from ddl.training.plan.plan import Plan


def measure(trial: Trial) -> dict[str, Any]:
    """Return rates, milliseconds a step, parameters and multiply-adds of a model."""
    limit_memory()
    dist.init()
    with loading_tensorflow():
        from ddl.models.layer_table import total_multiply_adds
    model, trained = _train(trial)
    used = _infer(model, trial)
    counts = {"parameters": model.count_params(), "multiply_adds": total_multiply_adds(model)}
    return {"train_samples_per_s": trained, "infer_samples_per_s": used, **counts}


def limit_memory() -> None:
    """Let the process fail where it would take more memory than it may, before the machine has none left."""
    limit_bytes = int(os.environ.get(MEMORY_MB, 0)) * 2**20
    if limit_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))


def _train(trial: Trial) -> tuple[Any, float]:
    """Train by our loop; return the model and its samples/s."""
    from ddl.training.loop import train

    clock = EpochClock()
    callback = clock.callback()
    with tempfile.TemporaryDirectory() as name:
        plan = dataclasses.replace(plan_of(trial, Path(name), "synthetic"), tensorboard=False)
        train(plan, random_data(trial, plan), callbacks=[callback])
    rates = throughput(trial, clock.parts()["epoch_s"], clock.began)
    return callback.model, rates["samples_per_s"]


def random_data(trial: Trial, plan: Plan) -> TrainingData:
    """Return random pictures with random targets: how fast they are learnt does not depend on what they show."""
    rng = np.random.default_rng(trial.seed)
    sides = (trial.samples, trial.image_size, trial.image_size)
    images = rng.integers(0, 256, (*sides, trial.channels), np.uint8)
    masks = target_of(trial.model, trial.model_option) == "mask"
    shape, most = ((*sides, 1), 2) if masks else (sides[:1], trial.classes)
    targets = rng.integers(0, most, shape).astype(np.uint8 if masks else np.int64)
    whole: Source = Arrays(
        {"image": images, "mask" if masks else "label": targets}, "random pictures"
    )
    few = Subset(whole, np.arange(min(trial.samples, trial.per_rank_batch_size)))
    classes = trial.model_classes
    return TrainingData(as_samples(whole, plan, classes), as_samples(few, plan, classes), classes)


def _infer(model: Any, trial: Trial) -> float:
    """Return samples/s of prediction, of batches that are in memory."""
    import tensorflow as tf

    predict = tf.function(lambda pictures: model(pictures, training=False))
    batch = trial.per_rank_batch_size
    shape = (batch, trial.image_size, trial.image_size, trial.channels)
    pictures = tf.random.uniform(shape, seed=trial.seed)
    steps = max(1, trial.samples // batch)
    _ = predict(pictures)  # the first call compiles
    begin = time.perf_counter()
    for _ in range(steps):
        np.asarray(predict(pictures))
    return steps * batch / (time.perf_counter() - begin)
