"""A plan becomes a command, and the command becomes the plan again."""

from __future__ import annotations

import importlib
import shlex
from pathlib import Path
from typing import Any

import pytest

from ddl.training.plan.plan import Plan
from ddl.training.plan.plan_flags import command_line, plan_from_flags

FACES = {
    "data": "faces",
    "model": "resnet20",
    "loss": "categorical_crossentropy",
    "metric": ("top_1",),
}
PLANS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "faces": FACES,
    "a U-Net on what train_cnn.py takes by default": {"data": "faces"},
    "the defaults of the other script": {**FACES, "data": "synthetic", "model": "resnet18"},
    "numbers and texts": {
        "data": "my pictures",
        "validation_data": "it's new",
        "image_size": (96, 128),
        "learning_rate": 3e-05,
        "checkpoint_every_min": 0.0,
        "tensorboard": False,
        "monitor": "val_dice",
        "resume": "auto",
        "init_weights": Path("old models/1.keras"),
        "freeze": ("down_*", "-odd"),
        "per_rank_batch_size": 3,
    },
    "options": {
        "data_option": {"count": 20},
        "augment": {"flip": True, "zoom": 0.1, "crop_size": (64, 96), "rotation_degrees": 15.0},
        "model_option": {"width": (8, 16, 32), "depth": 2, "norm": "group", "residual": True},
        "loss_option": {"dice_weight": 0.5},
        "metric": ("dice", "iou", "hausdorff_95"),
        "metric_option": {"hausdorff_95": {"spacing": (1.0, 0.5)}},
        "optimizer": "sgd",
        "optimizer_option": {"momentum": 0.9, "nesterov": True},
        "schedule": "step",
        "schedule_option": {"milestones": (2.0, 3.5), "factor": 0.5},
    },
    "classes and epochs": {
        **FACES,
        "test_data": "others",
        "evaluate": True,
        "global_batch_size": 12,
        "steps_per_epoch": 3,
        "normalize": "channels",
        "class_weight": {0: 1, 1: 2.5},
    },
    "one crop size for all sides": {"augment": {"crop_size": 64}},
    "augmentation and mixing of classifiers": {
        **FACES,
        "augment": {"randaugment": (2, 9), "resized_crop": True, "resized_scale": (0.2, 1.0)},
        "mix": {"mixup": 0.2, "cutmix": 1.0, "off_epochs": 1},
    },
    "no metric": {"metric": ()},
}


@pytest.mark.parametrize("values", PLANS.values(), ids=list(PLANS))
def test_the_command_of_a_plan_is_that_plan(values: dict[str, Any]) -> None:
    plan = Plan(run_dir=Path("runs/my run"), **values)
    launcher, flag, ranks, python, path, *flags = shlex.split(command_line(plan, ranks=16))
    assert (launcher, flag, ranks, python) == ("horovodrun", "-np", "16", "python")
    script = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    arguments = vars(script.build_parser().parse_args(flags))
    assert not arguments.pop("dry_run")
    assert plan_from_flags(arguments, script.DEFAULTS) == plan


def test_the_command_says_no_more_than_is_needed() -> None:
    assert command_line(Plan(run_dir=Path("runs/faces"), epochs=30, **FACES)) == (
        "horovodrun -np 8 python scripts/train_cnn.py --run-dir runs/faces --epochs 30 --data faces"
        " --model resnet20 --loss categorical_crossentropy --metric top_1"
    )
