"""Ranks that train side by side without communication: the speed if every step took as long as the slowest rank's.

This is the limit of scaling on this machine: what would remain if reductions cost nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

import ddl.distributed as dist
from benchmarks.keras_fit import compiled, fit_on_batches
from ddl.benchmark.comparison import Comparison
from ddl.benchmark.requests import Request
from ddl.benchmark.runner import Setup
from ddl.benchmark.trial import Trial
from ddl.ranges import Range, check_ranges


@dataclass(frozen=True, kw_only=True)
class LimitRequest(Request):
    """Measurement."""

    epochs: int = 4
    ranks: int = 2

    def __post_init__(self) -> None:
        """Refuse epochs with fewer than three steps: only a step between two others is timed."""
        super().__post_init__()
        check_ranges({"epoch_steps": self.epoch_steps}, {"epoch_steps": Range(3)}, "a limit")

    def comparison(self) -> Comparison:
        """Compare one rank with several independent ones, each step taken as long as the slowest rank's."""
        trial = self.trial(1, way=f"{__name__}:train_alone")
        setups = {
            "1 rank": Setup(trial, 1, self.threads),
            f"{self.ranks} ranks apart": Setup(trial, self.ranks, self.threads),
        }
        return Comparison("limit", setups, "met_samples_per_s")


def train_alone(trial: Trial) -> dict[str, Any]:
    """Train a model on each rank without reductions, and note when each step ends. All ranks must call it."""
    dist.init()
    import keras

    from ddl.distributed.gradients.step_share import even
    from ddl.distributed.keras_patches.optimizer import use_fused_operations

    use_fused_operations()  # as under our optimizer
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
    with even:  # no question to other ranks
        fit_on_batches(trial, model, images, targets, notes)
    steps = len(images) // trial.per_rank_batch_size
    step_s = np.diff(np.reshape(ends, (trial.epochs, steps))[1:], axis=1).ravel()
    return summarize(np.array(dist.allgather(step_s)), trial.per_rank_batch_size)


def summarize(step_s: np.ndarray, batch_size: int) -> dict[str, Any]:
    """Return samples/s of steps of (ranks, steps) seconds: independent, and waiting for the slowest in each."""
    return {
        "samples_per_s": float((batch_size / step_s.mean(axis=1)).sum()),
        "met_samples_per_s": len(step_s) * batch_size / float(step_s.max(axis=0).mean()),
        "jitter": float((step_s.std(axis=1) / step_s.mean(axis=1)).mean()),
    }
