"""What a plan with a partition may say: each wrong plan is refused in one line with its remedy."""

from __future__ import annotations

from typing import Any

import pytest

from ddl.training.data.plan_order import plan_order
from ddl.training.plan.plan import Plan

HALVES: dict[str, Any] = {"partition": "layers:2"}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"partition": "layers"}, "layers:K"),
    ({"partition": "layers:1"}, "layers:K"),
    ({"partition": "rows:2"}, "layers:K"),
    ({"partition_at": ("mask",)}, "without a partition"),
    ({"micro_batches": 2}, "without a partition"),
    (HALVES | {"partition_at": ("a", "b")}, "2 names in partition_at"),
    ({"partition": "layers:3", "partition_at": ("a", "a")}, "each name once"),
    (HALVES | {"micro_batches": 9, "per_rank_batch_size": 8}, "at most one for each sample"),
    (HALVES | {"mixed_precision": "float16"}, "mixed_precision=float16"),
    (HALVES | {"jit": "true"}, "jit=auto or false"),
    (HALVES | {"probe": 8}, "no rank sees all layers"),
    (HALVES | {"profile": 2}, "profile=0"),
    (HALVES | {"steps_per_execution": 4}, "steps_per_execution=1"),
    (HALVES | {"gradient_norm": True}, "gradient_norm"),
    (HALVES | {"micro_batches": 2, "loss": "batch_dice"}, "a mean over samples"),
    (HALVES | {"parallel": "balanced"}, "parallel=balanced"),
    ({"remat": -1.0}, "remat"),
]


@pytest.mark.parametrize(("fields", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_a_partition_cannot_do_is_refused_by_name(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"Received: .*Expected: ") as caught:
        Plan(run_dir="run", **fields)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ranks_that_hold_one_model_count_as_one() -> None:
    order = plan_order(Plan(run_dir="run", **HALVES, per_rank_batch_size=3), 20, 4)
    assert (order.size, order.global_batch_size) == (2, 6)


def test_ranks_that_are_no_whole_groups_are_refused() -> None:
    with pytest.raises(ValueError, match=r"layers:2 on 3 ranks. Expected: 2 ranks"):
        plan_order(Plan(run_dir="run", **HALVES), 20, 3)
