"""What balanced training cannot do is refused by name, with the remedy, before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ddl.training.data.plan_order import plan_order
from ddl.training.plan.plan import Plan

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a share of 0": ({"shares": (8, 0)}, "shares=8,0. Expected: at least 1 sample for each rank"),
    "another sum": (
        {"shares": (6, 4), "global_batch_size": 12},
        "add up to 10, with global_batch_size=12. Expected: shares that add up",
    ),
    "shares in another mode": (
        {"shares": (8, 8), "parallel": "sync"},
        "shares=8,8 with parallel=sync, which does not use it. Expected: no shares, or parallel=balanced",
    ),
    "own blocks": ({"order": "contiguous"}, "order=contiguous .* Expected: order=global"),
    "all samples": (
        {"optimizer": "hessian", "learning_rate_scaling": "none", "per_rank_batch_size": 8},
        "optimizer=hessian .* Expected: parallel=sync",
    ),
    "a probe": ({"probe": 8}, "probe=8 with parallel=balanced. Expected: no probe"),
    "compiled": ({"jit": "true"}, "jit=true .* Expected: jit=auto, or shares that stay"),
    "rounds": ({"sync_every": 4}, "sync_every=4 with parallel=balanced"),
    "layers over ranks": ({"partition": "layers:2"}, "partition=layers:2 with parallel=balanced"),
    "a mode": ({"parallel": "even"}, "parallel='even'. Expected one of"),
}


@pytest.mark.parametrize("name", BAD)
def test_it_is_refused(name: str) -> None:
    fields, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        Plan(run_dir=Path("run"), **{"parallel": "balanced"} | fields)


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((12, 4, 8), "3 shares .12,4,8. for 2 ranks. Expected: one for each rank"),
        (
            (12, 5),
            "shares=12,5, which add up to 17. Expected: at least 1 for each rank, 16 together",
        ),
    ],
)
def test_shares_must_fit_the_ranks(shares: tuple[int, ...], message: str) -> None:
    plan = Plan(run_dir=Path("run"), parallel="balanced", shares=shares)
    with pytest.raises(ValueError, match=message):
        plan_order(plan, 100, 2)
