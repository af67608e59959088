"""What local steps cannot do is refused by name, with the remedy, before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ddl.training.plan.plan import Plan

LOCAL = {"parallel": "local", "sync_every": 8}
BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "H of 0": ({"sync_every": 0}, "sync_every=0", "1"),
    "outer optimizer": ({"outer_optimizer": "adam"}, "adam", "average, nesterov"),
    "momentum of 1": (
        {"outer_optimizer": "nesterov", "outer_momentum": 1.0},
        "outer_momentum=1",
        "below 1",
    ),
    "rate of the average": ({"outer_learning_rate": 0.5}, "outer_learning_rate=0.5", "nesterov"),
    "momentum of the average": ({"outer_momentum": 0.5}, "outer_momentum=0.5", "nesterov"),
    "speed at H=1": (
        {"steps_by_speed": True, "sync_every": 1},
        "steps_by_speed with sync_every=1",
        "sync_every=8",
    ),
    "speed in blocks": (
        {"steps_by_speed": True, "order": "contiguous"},
        "order=contiguous",
        "order=global",
    ),
    "speed with mixing": (
        {"steps_by_speed": True, "mix": {"mixup": 0.2}, "model": "resnet18"},
        "steps_by_speed with mix",
        "one of them",
    ),
    "norm over ranks": ({"model_option": {"norm": "sync"}}, "norm=sync", "norm=batch"),
    "all samples": (
        {"optimizer": "hessian", "learning_rate_scaling": "none", "per_rank_batch_size": 8},
        "optimizer=hessian",
        "parallel=sync",
    ),
    "moving average": ({"optimizer_option": {"use_ema": True}}, "use_ema", "parallel=sync"),
    "accumulation": (
        {"optimizer_option": {"gradient_accumulation_steps": 4}},
        "gradient_accumulation_steps",
        "sync_every",
    ),
    "linear scaling": (
        {"learning_rate_scaling": "linear"},
        "learning_rate_scaling=linear",
        "no learning_rate_scaling",
    ),
    "steps in a call": ({"steps_per_execution": 4}, "steps_per_execution=4", "no steps_per"),
    "probe": ({"probe": 64}, "probe=64", "parallel=sync"),
    "norm of the gradient": ({"gradient_norm": True}, "gradient_norm", "parallel=sync"),
    "log of batches": ({"epoch_log": Path("log")}, "epoch_log=log", "history.jsonl"),
    "profile": ({"profile": 5}, "profile=5", "parallel=sync"),
    "shares": ({"shares": (4, 4)}, "shares=4,4", "parallel=balanced"),
    "H in sync": ({"parallel": "sync"}, "sync_every=8 with parallel=sync", "parallel=local"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_local_steps_cannot_do_is_refused(name: str, tmp_path: Path) -> None:
    fields, received, expected = BAD[name]
    with pytest.raises(ValueError, match="Received: ") as error:
        Plan(run_dir=tmp_path / "run", **{**LOCAL, **fields})
    told, _, remedy = str(error.value).partition("Expected")
    assert received in told
    assert expected in remedy
    assert "\n" not in str(error.value)


def test_a_good_plan_of_local_steps(tmp_path: Path) -> None:
    fields = {"steps_by_speed": True, "compression": "bf16", "outer_optimizer": "nesterov"}
    plan = Plan(run_dir=tmp_path, **{**LOCAL, **fields})
    assert (plan.sync_every, plan.outer_optimizer) == (8, "nesterov")
