"""The model of a plan has the input sides of training and validation, or open ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl.data.central_crop import CentrallyCropped
from ddl.data.source import Source
from ddl.data.sources.arrays import Arrays
from ddl.training.build import plan_model
from ddl.training.data.training_data import TrainingData
from ddl.training.plan.plan import Plan

WHOLE = Arrays({"image": np.zeros((4, 20, 20, 3), np.float32), "label": np.arange(4) % 2}, "arrays")
MIDDLE = CentrallyCropped(WHOLE, 0.8)


def sides(validation: Source, **augment: Any) -> tuple[int | None, ...]:
    plan = Plan(
        run_dir=Path("run"),
        model="resnet20",
        loss="categorical_crossentropy",
        metric=("top_1",),
        augment=augment,
    )
    shape: tuple[int | None, ...] = plan_model(plan, TrainingData(WHOLE, validation, 2)).input_shape
    return shape[1:3]


@pytest.mark.parametrize(
    ("validation", "augment", "expected"),
    [
        (WHOLE, {"flip_horizontal": 0.5}, (20, 20)),
        (WHOLE, {"crop_size": 16}, (None, None)),
        (MIDDLE, {"crop_size": 16, "central_crop": 0.8}, (16, 16)),
        (MIDDLE, {"resized_crop": True, "crop_size": 12, "central_crop": 0.8}, (None, None)),
        (MIDDLE, {"central_crop": 0.8}, (None, None)),
    ],
)
def test_sides_are_fixed_where_training_and_validation_agree(
    validation: Source, augment: dict[str, Any], expected: tuple[int | None, ...]
) -> None:
    assert sides(validation, **augment) == expected


def test_whole_validation_samples_of_a_script_are_refused_with_a_central_crop() -> None:
    with pytest.raises(ValueError, match=r"central_crop=0.8 with whole validation samples"):
        sides(WHOLE, central_crop=0.8)
