"""A small run of a detector on synthetic pictures, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ddl.training.loop import train
from ddl.training.plan.plan import Plan
from tests.training.outcome import computing_in, outcome

TINY: dict[str, dict[str, Any]] = {
    "yolo_small": {"model": "yolo_small", "model_option": {"width": 2}, "loss": "yolo"},
    "fcos": {"model": "fcos", "model_option": {"width": 8}, "loss": "fcos"},
}
"""Detector -> the part of a plan that names it."""


def plan_of(run_dir: Path, model: str, /, **fields: Any) -> Plan:
    """Return the plan of a run of ten steps on 20 pictures of 64x64."""
    given: dict[str, Any] = {
        "data": "synthetic-boxes",
        "data_option": {"count": 24, "objects": 3, "channels": 1},
        "image_size": (64, 64),
        "metric": ("ap50", "ap"),
        "epochs": 2,
        "global_batch_size": 4,
        "warmup_epochs": 0,
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "validation_part": 4 / 24,
        "jit": "false",
        "tensorboard": False,
        "run_dir": run_dir,
    }
    return Plan(**{**given, **TINY[model], **fields})


def train_boxes(
    run_dir: Path, model: str, fields: dict[str, Any] | None = None, floatx: str = "float64"
) -> dict[str, Any]:
    """Train on all ranks, and return history and final weights."""
    with computing_in(floatx):
        history = train(plan_of(run_dir, model, **(fields or {})))
        return outcome(history, run_dir)
