"""Test data: evaluated before and after training, once each; refused where there are none."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ddl.training.checkpoint.facts import checked_facts
from ddl.training.data.training_data import open_data
from ddl.training.loop import train
from ddl.training.plan.plan import Plan
from ddl.training.record.curves import quantities
from ddl.training.record.history import read_history
from tests.scripts.in_process import call

SMALL: dict[str, Any] = {
    "tensorboard": False, "data_option": {"count": 8}, "image_size": (16, 16),
    "model_option": {"width": 2, "depth": 1}, "validation_part": 0.5, "evaluate": True,
    "test_data": "synthetic", "normalize": "channels",
    "optimizer_option": {"use_ema": True, "ema_momentum": 0.5},
}  # fmt: skip


def lines_of_tests(text: str) -> list[str]:
    return [line for line in text.splitlines() if " test samples " in line]


def test_a_run_that_resumes_does_not_repeat_the_test_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ddl")
    train(Plan(run_dir=tmp_path, epochs=1, **SMALL))
    first = read_history(tmp_path)
    assert {name for name in first[0] if name.startswith("test_")} == {
        *("test_before_dice", "test_before_loss", "test_dice", "test_loss"),
    }
    before, after = lines_of_tests(caplog.text)
    assert "8 test samples before training: test_dice " in before
    assert "8 test samples after training: " in after
    caplog.clear()
    train(Plan(run_dir=tmp_path, epochs=2, resume="auto", **SMALL))
    assert [line.split(": ")[0][-14:] for line in lines_of_tests(caplog.text)] == ["after training"]
    one, two = read_history(tmp_path)
    assert one["test_before_loss"] == first[0]["test_before_loss"]
    assert "test_loss" not in one
    assert "test_before_loss" not in two
    # A complete run has lost nothing but its model.
    train(Plan(run_dir=tmp_path, epochs=2, resume="auto", **SMALL))
    assert read_history(tmp_path)[1]["test_loss"] == pytest.approx(two["test_loss"], rel=1e-6)
    # The final model is the one with the moving average of the weights.
    found = json.loads(call("evaluate", tmp_path, "--part", "test").printed)
    assert found["samples"] == 8
    assert found["loss"] == pytest.approx(two["test_loss"], rel=1e-5)
    assert quantities([one, two]) == ["loss", "dice", "learning_rate"]


def test_a_prepared_file_has_test_samples_of_its_own(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "cells.h5", "w") as file:
        file["image"] = np.zeros((9, 16, 16, 1), np.uint8)
        file["mask"] = np.ones((9, 16, 16, 1), np.uint8)
        file["split"] = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2], np.uint8)
    plan = Plan(
        run_dir=tmp_path / "run",
        data=str(tmp_path / "cells.h5"),
        evaluate=True,
        per_rank_batch_size=2,
    )
    data = open_data(plan)
    assert data.test is not None
    assert [len(part) for part in (data.training, data.validation, data.test)] == [4, 2, 3]


def test_your_own_samples_need_test_samples_too(tmp_path: Path) -> None:
    data = open_data(Plan(run_dir=tmp_path, data_option={"count": 20}, image_size=(16, 16)))
    with pytest.raises(ValueError, match=r"evaluate=true without test samples. Expected: Trai"):
        train(Plan(run_dir=tmp_path, evaluate=True, image_size=(16, 16)), data)


def test_a_checkpoint_keeps_the_results_before_training() -> None:
    facts = {"test_before": {"test_before_loss": 1.5}}
    assert checked_facts(facts) == facts
    with pytest.raises(ValueError, match="test_before="):
        checked_facts({"test_before": {"test_before_loss": [1]}})
