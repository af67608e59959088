"""Why a run is over follows from its plan and its history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ddl.training.ending import how_to_train_on, why_over
from ddl.training.plan.plan import Plan


def history(*losses: float | None) -> list[dict[str, Any]]:
    rows = [{"epoch": number, "seconds": 1.0, "loss": 1.0} for number in range(1, len(losses) + 1)]
    return [
        row if loss is None else row | {"val_loss": loss}
        for row, loss in zip(rows, losses, strict=True)
    ]


@pytest.mark.parametrize(
    ("fields", "losses", "why"),
    [
        ({}, (), None),
        ({}, (1.0,) * 4, None),
        ({}, (1.0,) * 5, "all epochs are complete"),
        (
            {"target": "val_loss=0.5"},
            (1.0, 0.4, 0.6),
            "the target val_loss=0.5 was reached in epoch 2",
        ),
        ({"target": "val_loss=0.5"}, (1.0, 0.6), None),
        (
            {"early_stopping_patience": 2},
            (1.0, 1.0, 1.0),
            "val_loss has not improved for 2 epochs",
        ),
        (
            {"early_stopping_patience": 2, "validate_every_epochs": 2},
            (None, 1.0, None, 1.0),
            None,
        ),
        (
            {"early_stopping_patience": 1, "validate_every_epochs": 2},
            (None, 1.0, None, 1.0),
            "val_loss has not improved for 1 validations",
        ),
    ],
)
def test_a_run_is_over_for_one_reason(
    tmp_path: Path, fields: dict[str, Any], losses: tuple[float | None, ...], why: str | None
) -> None:
    assert why_over(Plan(run_dir=tmp_path, **fields), history(*losses)) == why


def test_each_reason_has_its_remedy(tmp_path: Path) -> None:
    patient = Plan(run_dir=tmp_path, early_stopping_patience=1, target="val_loss=0.5")
    assert how_to_train_on(patient, history(1.0, 1.0)) == "raise --early-stopping-patience"
    assert how_to_train_on(patient, history(0.5)) == "set another --target"
    assert "raise --epochs" in how_to_train_on(patient, history(*[0.5] * 5))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"target": "0.9"}, r"target='0.9'. Expected: NAME=VALUE"),
        ({"target": "val_top_1=0.9"}, r"target='val_top_1'. Expected one of: val_loss, val_dice"),
        (
            {"validate_every_epochs": 0},
            r"validate_every_epochs=0 for training. Expected: at least 1",
        ),
        ({"restore_best": True, "keep_best": 0}, r"restore_best with keep_best=0"),
        (
            {"restore_best": True, "checkpoint_every_epochs": 2},
            r"checkpoint_every_epochs=1, so that",
        ),
        ({"plateau": {"patience": 3}, "schedule": "plateau"}, r"plateau adds to another schedule"),
        (
            {"plateau": {"monitor": "val_iou"}},
            r"monitor='val_iou' for schedule plateau. Expected one",
        ),
        ({"warmup_from": 0.0, "warmup_epochs": 0}, r"without a warm-up. Expected: warmup_epochs=5"),
    ],
)
def test_plans_that_cannot_be_meant_are_refused(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Plan(run_dir=tmp_path, **fields)


def test_a_checkpoint_for_each_validation_is_enough_to_restore_the_best(tmp_path: Path) -> None:
    often = {"validate_every_epochs": 4, "checkpoint_every_epochs": 2, "restore_best": True}
    Plan(run_dir=tmp_path, **often)
    with pytest.raises(ValueError, match="restore_best"):
        Plan(run_dir=tmp_path, monitor="loss", **often)
