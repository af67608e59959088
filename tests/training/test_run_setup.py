"""A start: what it says about a complete run, and where it begins."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from ddl.training.loop import train
from ddl.training.plan.plan import Plan
from ddl.training.run_setup import set_up
from ddl.training.stop_request import StopRequest


def plan(folder: Path, **fields: Any) -> Plan:
    """Return a tiny plan that resumes."""
    return Plan(
        run_dir=folder, resume="auto", tensorboard=False, data_option={"count": 8},
        image_size=(16, 16), model_option={"width": 2, "depth": 1}, validation_part=0.5, **fields,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "remedy"),
    [
        (
            {"epochs": 1},
            "1 of 1 epochs are complete. To train on, use --resume 1, which trains ten more, or raise --epochs.",
        ),
        (
            {"epochs": 9, "early_stopping_patience": 1, "early_stopping_min_delta": 9.0},
            "2 of 9 epochs are complete. To train on, raise --early-stopping-patience.",
        ),
    ],
)
def test_a_complete_run_says_how_to_train_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, fields: dict[str, Any], remedy: str
) -> None:
    train(plan(tmp_path, **fields))
    with caplog.at_level(logging.INFO, "ddl"):
        train(plan(tmp_path, **fields))
    assert remedy in caplog.text


def test_a_caller_that_found_no_checkpoint_starts_at_the_first_step(tmp_path: Path) -> None:
    train(plan(tmp_path, epochs=1))
    with StopRequest() as stop:
        setup = set_up(plan(tmp_path, epochs=2), None, stop, lambda _: None)
    with setup.run_dir_lock:
        setup.early_log.hand_over(None)
    assert setup.run.history == []
