"""The plan of a run is read also where only its own script knows a name in it."""

from __future__ import annotations

from typing import Any

import pytest

from ddl.training.plan.plan import Plan
from ddl.training.plan.stored_plan import StoredPlan, plan_from_stored

VALUES = Plan(run_dir="run").to_dict()
OWN: dict[str, Any] = VALUES | {"model": "net", "model_option": {"width": 16}}


def test_a_plan_of_known_names_is_a_plain_plan() -> None:
    assert plan_from_stored(VALUES, "mask") == Plan(run_dir="run")


def test_an_unknown_model_keeps_its_name_and_options() -> None:
    plan = plan_from_stored(OWN, "label")
    assert isinstance(plan, StoredPlan)
    assert (plan.model, plan.model_option, plan.predicts) == ("net", {"width": 16}, "label")


@pytest.mark.parametrize("change", [{"loss": "mine"}, {"metric": ["mine"]}, {"optimizer": "mine"}])
def test_the_target_of_a_known_model_needs_no_preprocessing(change: dict[str, Any]) -> None:
    assert plan_from_stored(VALUES | change, "").predicts == "mask"


def test_the_target_of_an_unknown_model_needs_preprocessing() -> None:
    with pytest.raises(ValueError, match=r"model 'net'.* without preprocessing.json. Expected: "):
        _ = plan_from_stored(OWN, "").predicts


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": "five"}, "epochs='five'"),
        ({"epoch": 3}, "Unknown field of a plan. Received: 'epoch'"),
        ({"loss_option": {"smoth": 1}}, "Did you mean 'smooth'"),
    ],
)
def test_other_mistakes_are_still_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan_from_stored(OWN | change, "mask")
