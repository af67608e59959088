"""A plan that cannot be trained is refused before anything starts, with what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ddl.training.plan import UnetPlan


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("samples", 0, r"samples=0. Expected: 1 or more"),
        ("epochs", -1, r"epochs=-1. Expected: 1 or more"),
        ("warmup_epochs", -0.5, r"warmup_epochs=-0.5. Expected: 0 or more"),
        ("learning_rate", 0.0, r"learning_rate=0.0. Expected: above 0"),
        ("learning_rate", float("nan"), r"learning_rate=nan. Expected: above 0"),
        ("image_size", 100, r"2\*\*depth = 8 divides, such as 104"),
        ("norm", "layer", r"norm='layer'. Expected one of: sync, batch, group, none"),
        ("compression", "zip", r"Expected one of: none, fp16, bf16"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    tmp_path: Path, field: str, value: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        UnetPlan(tmp_path, **{field: value})


def test_a_run_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(ValueError, match="holds a run already"):
        UnetPlan(tmp_path).check_run_dir()
    UnetPlan(tmp_path / "new").check_run_dir()


def test_the_plan_says_everything_as_json(tmp_path: Path) -> None:
    plan = UnetPlan(tmp_path / "run", epochs=7)
    said = json.loads(plan.to_json())
    assert said["epochs"] == 7
    assert UnetPlan(**(said | {"run_dir": Path(said["run_dir"])})) == plan
