"""U-Nets that two pooled ranks train with sync and with local steps, on the same synthetic pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ddl.distributed as dist
from ddl.training.loop import train
from ddl.training.plan.plan import Plan

PICTURES = 384  # to train on: 48 steps of 8, which are 3 rounds of 16


def train_unet(folder: Path, fields: dict[str, Any]) -> dict[str, Any]:
    """Train, and return the validation Dice of each epoch, and MiB sent an epoch."""
    given: dict[str, Any] = {
        "data": "synthetic", "data_option": {"count": 480}, "validation_part": 0.2,
        "image_size": (32, 32), "model_option": {"width": 8, "depth": 2, "norm": "batch"},
        "per_rank_batch_size": 4, "jit": "false", "tensorboard": False,
        "checkpoint_every_epochs": 0,
    }  # fmt: skip
    history = train(Plan(run_dir=folder, **given | fields))
    report = json.loads((folder / "report.json").read_text()) if dist.is_root() else {}
    return {
        "dice": [float(epoch["val_dice"]) for epoch in history],
        "mib": max(report.get("sent_mib", [0.0])) / len(history),
    }
