"""What asynchronous training cannot do is refused by name, with the remedy, before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ddl.training.plan.modes.asynchronous import check_alone
from ddl.training.plan.plan import Plan

ASYNC: dict[str, Any] = {
    "parallel": "async",
    "data": "synthetic",
    "model_option": {"norm": "batch"},
}
BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "address": ({"ray_address": "10.0.0.1"}, "ray_address=10.0.0.1", "HOST:PORT"),
    "no worker": ({"workers": -1}, "workers=-1", "at least 0"),
    "more than there are": ({"workers": 2, "min_workers": 3}, "min_workers=3", "at most 2"),
    "empty parts": ({"workers": 9, "global_batch_size": 8}, "global_batch_size=8", "each worker"),
    "blocks": ({"order": "contiguous"}, "order=contiguous", "order=global"),
    "no epoch": ({"epochs": 0, "init_weights": "m.keras"}, "epochs=0", "no parallel"),
    "norm over ranks": ({"model_option": {"norm": "sync"}}, "norm=sync", "norm=batch"),
    "all samples": (
        {"optimizer": "hessian", "learning_rate_scaling": "none", "per_rank_batch_size": 8},
        "optimizer=hessian",
        "parallel=sync",
    ),
    "accumulation": (
        {"optimizer_option": {"gradient_accumulation_steps": 4}},
        "gradient_accumulation_steps",
        "more workers",
    ),
    "loss scale": ({"mixed_precision": "float16"}, "mixed_precision=float16", "bfloat16"),
    "compiled": ({"jit": "true"}, "jit=true", "jit=auto"),
    "blocks of steps": ({"steps_per_execution": 4}, "steps_per_execution=4", "no steps_per"),
    "probe": ({"probe": 64}, "probe=64", "parallel=sync"),
    "norm of the gradient": ({"gradient_norm": True}, "gradient_norm", "parallel=sync"),
    "log of batches": ({"epoch_log": Path("log")}, "epoch_log=log", "updates.jsonl"),
    "profile": ({"profile": 5}, "profile=5", "parallel=sync"),
    "local steps": ({"sync_every": 8}, "sync_every=8 with parallel=async", "parallel=local"),
    "workers in sync": ({"parallel": "sync", "workers": 2}, "workers=2", "parallel=async"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_asynchronous_training_cannot_do_is_refused(name: str, tmp_path: Path) -> None:
    fields, received, expected = BAD[name]
    with pytest.raises(ValueError, match="Received: ") as refusal:
        Plan(**{**ASYNC, "run_dir": tmp_path / "run", **fields})
    message = str(refusal.value)
    assert received in message.partition("Expected: ")[0]
    assert expected in message.partition("Expected: ")[2]


def test_a_launcher_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(**{**ASYNC, "run_dir": tmp_path / "run", "workers": 4})
    check_alone(plan)
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=r"parallel=async under mpirun with 2 rank\(s\)"):
        check_alone(plan)
