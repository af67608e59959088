"""Ranks that train side by side and never talk: what the slower of each pair of steps leaves of their speed."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import ddl.distributed as dist
from ddl.benchmark.trial import Trial
from ddl.benchmark.trials import compiled, fit_on_batches


def train_apart(trial: Trial) -> dict[str, Any]:
    """Train a model on each rank, reduce nothing, and note when each step ends."""
    dist.init()
    import keras

    from ddl.distributed.optimizer import use_fused_operations
    from ddl.distributed.step import even

    use_fused_operations()  # one rank alone computes as ranks under our optimizer do
    model, images, targets = compiled(trial)
    for layer in model._flatten_layers():
        if getattr(layer, "synchronized", False):
            layer.synchronized = False
    dist.reduces_itself(model)
    ends: list[float] = []
    notes = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: ends.append(time.perf_counter())
    )
    dist.barrier()
    with even:  # each rank alone: it has nobody to ask
        fit_on_batches(trial, model, images, targets, notes)
    steps = len(images) // trial.per_rank_batch_size
    step_s = np.diff(np.reshape(ends, (trial.epochs, steps))[1:], axis=1).ravel()
    return told(np.array(dist.allgather(step_s)), trial.per_rank_batch_size)


def told(step_s: np.ndarray, batch_size: int) -> dict[str, Any]:
    """Return samples a second of steps of (ranks, steps) seconds: each rank's own added up, and with all waiting."""
    return {
        "samples_per_s": float((batch_size / step_s.mean(axis=1)).sum()),
        "met_samples_per_s": len(step_s) * batch_size / float(step_s.max(axis=0).mean()),
        "jitter": float((step_s.std(axis=1) / step_s.mean(axis=1)).mean()),
    }
