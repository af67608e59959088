"""PyTorch's schedulers, stepped once an epoch, as tables of the rate of each epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ddl.training.optimization.keras_schedule import build_schedule
from ddl.training.optimization.schedules import Course, learning_rate_at

STEPS = 3
TABLES: dict[str, tuple[dict[str, Any], list[float]]] = {
    "StepLR": (
        {"name": "step", "options": {"every": 2, "factor": 0.5}},
        [0.8, 0.8, 0.4, 0.4, 0.2, 0.2, 0.1],
    ),
    "MultiStepLR": (
        {"name": "step", "options": {"milestones": (1, 4), "factor": 0.1}},
        [0.8, 0.08, 0.08, 0.08, 0.008, 0.008, 0.008],
    ),
    "ExponentialLR": (
        {"name": "exponential", "options": {"factor": 0.5, "staircase": True}},
        [0.8, 0.4, 0.2, 0.1, 0.05, 0.025, 0.0125],
    ),
    "LinearLR": (
        {
            "name": "constant",
            "warmup_epochs": 4,
            "warmup_from": 0.25 * 0.8,
            "warmup_shape": "staircase",
        },
        [0.2, 0.35, 0.5, 0.65, 0.8, 0.8, 0.8],
    ),
    "a staircase after a warm-up": (
        {
            "name": "exponential",
            "options": {"factor": 0.5, "staircase": True},
            "warmup_epochs": 2,
            "warmup_from": 0.4,
            "warmup_shape": "staircase",
        },
        [0.4, 0.6, 0.8, 0.4, 0.2, 0.1, 0.05],
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_scheduler_is_its_table(name: str) -> None:
    fields, table = TABLES[name]
    course = Course(learning_rate=0.8, steps_per_epoch=STEPS, epochs=7, **fields)
    steps = np.arange(7 * STEPS)
    rates = learning_rate_at(steps, course)
    np.testing.assert_allclose(rates, np.repeat(table, STEPS), rtol=1e-12)
    schedule = build_schedule(course)
    np.testing.assert_allclose([float(schedule(step)) for step in steps], rates, rtol=1e-6)
