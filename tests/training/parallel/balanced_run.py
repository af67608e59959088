"""A run of the tiny classifier in float64, with a straggler if it is asked for, on pooled ranks or in this process."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import ddl.distributed as dist
from ddl.benchmark.modes.straggler import Straggler, slowed
from ddl.training.steps.supervised import SupervisedSteps
from tests.training.small_run import train_tiny


def train_slowed(folder: Path, fields: dict[str, Any], slow: dict[str, Any]) -> dict[str, Any]:
    """Train; return what `train_tiny` does, the shares after each step, and the seconds at which each call ended."""
    shares: list[list[int]] = []
    ends: list[list[float]] = []
    take = SupervisedSteps.take

    def noting(steps: Any, most: int) -> Any:
        taken = take(steps, most)
        order = steps._run.order
        shares.append([order.share_of(rank) for rank in range(dist.size())])
        ends.append([steps._run.position.step + taken.count, time.monotonic()])
        return taken

    SupervisedSteps.take = noting  # type: ignore[method-assign]
    sleeping = slowed(Straggler(**slow), dist.rank()) if slow else contextlib.nullcontext()
    try:
        with sleeping:
            found = train_tiny(folder, {"jit": "false", "validation_part": 0.2} | fields)
    finally:
        SupervisedSteps.take = take  # type: ignore[method-assign]
    return found | {"shares": shares, "ends": ends}
