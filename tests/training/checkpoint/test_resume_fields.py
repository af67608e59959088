"""What a resumed run takes from the run's own plan, and which fields must agree with its checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ddl.training.checkpoint.resume import check_resume
from ddl.training.checkpoint.resumed_plan import resumed_values
from ddl.training.plan.plan import Plan


def test_a_run_continues_its_own_mlperf_log_and_no_other(tmp_path: Path) -> None:
    stored = Plan(run_dir=tmp_path, mlperf_log=tmp_path / "log", target="val_loss=0.5")
    (tmp_path / "plan.json").write_text(stored.to_json())
    assert resumed_values(tmp_path, "auto", {})["mlperf_log"] == tmp_path / "log"
    other = resumed_values(tmp_path / "other", str(tmp_path), {})
    assert "mlperf_log" not in other
    assert other["target"] == "val_loss=0.5"


def test_a_checkpoint_of_an_earlier_version_lacks_later_fields(tmp_path: Path) -> None:
    plan = Plan(run_dir=tmp_path)
    then = plan.to_dict()
    for name in ("no_decay_on", "warmup_from", "warmup_shape", "plateau"):
        del then[name]
    check_resume(plan, {"plan": then}, "epoch-0001.h5")


VALUE = {"patience": 3, "monitor": "val_dice"}
OWN = {"patience": 3}


@pytest.mark.parametrize(
    ("then", "now", "field"),
    [
        ({}, {"target": "val_loss=0.1", "restore_best": True, "validate_every_epochs": 3}, None),
        ({}, {"monitor": "val_dice"}, None),
        ({"plateau": OWN}, {"plateau": OWN, "monitor": "val_dice"}, "monitor"),
        ({"plateau": VALUE}, {"plateau": VALUE, "monitor": "val_dice"}, None),
        ({"plateau": VALUE}, {"plateau": VALUE, "validate_every_epochs": 2}, "validate_every"),
        ({"schedule": "plateau"}, {"schedule": "plateau", "monitor": "val_dice"}, "monitor"),
        ({}, {"warmup_shape": "staircase"}, "warmup_shape='staircase'"),
        ({}, {"optimizer": "adamw", "no_decay_on": ("bias",)}, "no_decay_on"),
    ],
)
def test_what_decides_the_weights_must_agree(
    tmp_path: Path, then: dict[str, Any], now: dict[str, Any], field: str | None
) -> None:
    facts = {"plan": Plan(run_dir=tmp_path, **then).to_dict()}
    plan = Plan(run_dir=tmp_path, **now)
    if field is None:
        check_resume(plan, facts, "epoch-0001.h5")
    else:
        with pytest.raises(ValueError, match=field):
            check_resume(plan, facts, "epoch-0001.h5")
