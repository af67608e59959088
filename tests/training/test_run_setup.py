"""What a start says about a run that is already complete."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from ddl.training.loop import train
from ddl.training.plan.plan import Plan


@pytest.mark.parametrize(
    ("fields", "remedy"),
    [
        ({"epochs": 1}, "1 of 1 epochs are complete. To train on, raise --epochs."),
        (
            {"epochs": 9, "early_stopping_patience": 1, "early_stopping_min_delta": 9.0},
            "2 of 9 epochs are complete. To train on, raise --early-stopping-patience.",
        ),
    ],
)
def test_a_complete_run_says_how_to_train_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, fields: dict[str, float], remedy: str
) -> None:
    plan = Plan(
        run_dir=tmp_path, resume="auto", tensorboard=False, data_option={"count": 8},
        image_size=(16, 16), model_option={"width": 2, "depth": 1}, validation_part=0.5, **fields,
    )  # fmt: skip
    train(plan)
    with caplog.at_level(logging.INFO, "ddl"):
        train(plan)
    assert remedy in caplog.text
