"""Where the time of a step goes: the profile of a run (`--profile`) as numbers, a table and a picture."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ddl.benchmark.comparison import Comparison, measure
from ddl.benchmark.reports import Result, markdown, report, rounded
from ddl.benchmark.requests import Request
from ddl.training.plan.plan import Plan
from ddl.training.profiling.step_time import PARTS, profiled_steps

DEFAULT_WAITING = {
    "HOROVOD_IDLE_TIME": "0",
    "OMPI_MCA_mpi_yield_when_idle": "0",
    "HOROVOD_CYCLE_TIME": "1",
}
"""How MPI and Horovod wait where `ddl.distributed.init` does not change it."""
_SHOWN_KINDS = 8
_READING = "tf_data_"
_OPERATION = re.compile(r"[^:]+:_?(?:Mkl(?:Native)?)?([A-Z][A-Za-z0-9]*)$")
"""TensorFlow's trace names an operation NAME:KIND; kinds of oneDNN have a prefix."""


@dataclass(frozen=True, kw_only=True)
class StepsRequest(Request):
    """Measurement.

    Attributes:
        profile: number of steps to time part by part; as many more are traced.
        spinning: also measure ranks with the default waiting of MPI and Horovod.
    """

    epoch_steps: int = 40
    epochs: int = 2
    ranks: int = 2
    profile: int = 20
    spinning: bool = False

    def __post_init__(self) -> None:
        """Refuse runs that are shorter than their profile."""
        super().__post_init__()
        needed, steps = profiled_steps(self.profile), self.epochs * self.epoch_steps
        if steps < needed:
            raise ValueError(
                f"Received: {self.epochs} epochs of {self.epoch_steps} steps. Expected: {needed} steps at least for "
                f"profile={self.profile}."
            )
        if self.spinning and self.ranks == 1:
            raise ValueError("Received: spinning=true with ranks=1. Expected: 2 ranks or more.")

    def comparison(self) -> Comparison:
        """Return the step time of one rank and of several ranks."""
        setups = {"1 rank": self.setup(1)}
        if self.ranks > 1:
            name = f"{self.ranks} ranks"
            if self.spinning:
                setups[f"{name}, as they come"] = replace(self.setup(), env=DEFAULT_WAITING)
            setups[name] = self.setup()
        return Comparison("steps", setups, "step_ms", "ms")

    def run(self) -> None:
        """Measure the parts of a step, and report them."""
        report(self.output, measure(self.comparison(), self.rounds), steps_table, draw_steps)


def profile_of(plan: Plan) -> dict[str, Any]:
    """Return the milliseconds of a step, of its parts and of TensorFlow's operations in it, from a finished run.

    Raises:
        ValueError: the run was too short for a profile.
    """
    folder = plan.run_dir / "profile"
    if not folder.is_dir():
        raise ValueError(f"The run has too few steps for profile={plan.profile}.")
    steps = json.loads((folder / "steps.json").read_text("utf-8"))
    parts = np.mean(steps["median_of_rank"], axis=0)
    return {
        "step_ms": float(parts.sum()),
        "parts_ms": dict(zip(PARTS, parts.tolist(), strict=True)),
        "operations_ms": operations_of(folder / "trace", plan.profile),
    }


def operations_of(folder: Path, steps: int) -> dict[str, float]:
    """Return milliseconds per step of each kind of operation in a trace, without the threads that read data."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    spent: Counter[str] = Counter()
    for path in folder.rglob("*.xplane.pb"):
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
        for plane in space.planes:
            for line in plane.lines:
                if line.name.startswith(_READING):
                    continue
                for event in line.events:
                    match = _OPERATION.fullmatch(plane.event_metadata[event.metadata_id].name)
                    if match is not None:
                        spent[match[1]] += event.duration_ps
    return {kind: 1e-9 * picoseconds / steps for kind, picoseconds in spent.most_common()}


def steps_table(result: Result) -> str:
    """Return a table of the parts of a step, and one of the kinds of operations."""
    setups = result["results"]
    rows = [
        [setup, rounded(result["values"][setup]["median"]), *parts_of(trials)]
        for setup, trials in setups.items()
    ]
    parts = markdown([result["benchmark"], "ms a step", *PARTS], rows)
    names = list(setups)
    compared = {setup: setups[setup] for setup in (names[0], names[-1])}
    kinds = {
        kind for setup in compared.values() for trial in setup for kind in trial["operations_ms"]
    }
    spent = {
        kind: [_median_ms(trials, "operations_ms", kind) for trials in compared.values()]
        for kind in kinds
    }
    longest = sorted(spent, key=lambda kind: -sum(spent[kind]))[:_SHOWN_KINDS]
    rows = [[kind, *map(rounded, spent[kind])] for kind in longest]
    return f"{parts}\n{markdown(['ms of threads of rank 0', *compared], rows)}"


def parts_of(trials: list[dict[str, Any]]) -> list[str]:
    """Return the median milliseconds of each part of a step."""
    return [rounded(_median_ms(trials, "parts_ms", part)) for part in PARTS]


def _median_ms(trials: list[dict[str, Any]], key: str, name: str) -> float:
    return float(median(trial[key].get(name, 0.0) for trial in trials))


def draw_steps(result: Result, path: Path) -> None:
    """Draw the step of each setup as a bar of its parts."""
    from ddl.training.record.figure import new_figure

    setups = result["results"]
    with new_figure(path, 640, 150 + 45 * len(setups)) as figure:
        axes = figure.add_subplot()
        left = np.zeros(len(setups))
        for part in PARTS:
            widths = [_median_ms(trials, "parts_ms", part) for trials in setups.values()]
            axes.barh(range(len(setups)), widths, left=left, height=0.6, label=part)
            left += widths
        axes.set_yticks(range(len(setups)), list(setups))
        axes.invert_yaxis()
        axes.set_xlabel("ms a step (medians)")
        axes.set_title("Where the time of a step goes", loc="left", fontweight="bold")
        figure.legend(fontsize=8, ncols=len(PARTS), loc="outside lower center")
