"""Where the time of a step goes: what `--profile` leaves of a training, as numbers, table and picture."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ddl.benchmark.result import markdown, rounded
from ddl.training.plan import Plan
from ddl.training.step_time import PARTS

_MOST = 8
"""Kinds of operations that are told."""
_READING = "tf_data_"
_OPERATION = re.compile(r"[^:]+:_?(?:Mkl(?:Native)?)?([A-Z][A-Za-z0-9]*)$")
"""An operation in TensorFlow's trace is NAME:KIND; oneDNN's have a prefix."""


def profile_of(plan: Plan) -> dict[str, Any]:
    """Return the milliseconds of a step, of its parts, and of what TensorFlow computes in it, of a finished training.

    Raises:
        ValueError: the training was too short to leave a profile.
    """
    folder = plan.run_dir / "profile"
    if not folder.is_dir():
        raise ValueError(f"profile={plan.profile} is more than the training has steps for.")
    steps = json.loads((folder / "steps.json").read_text("utf-8"))
    parts = np.mean(steps["median_of_rank"], axis=0)
    return {
        "step_ms": float(parts.sum()),
        "parts_ms": dict(zip(PARTS, parts.tolist(), strict=True)),
        "operations_ms": operations_of(folder / "trace", plan.profile),
    }


def operations_of(folder: Path, steps: int) -> dict[str, float]:
    """Return the milliseconds a step of each kind of operation in a trace, on all threads but those that read."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    spent: Counter[str] = Counter()
    for path in folder.rglob("*.xplane.pb"):
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
        for plane in space.planes:
            for line in plane.lines:
                if line.name.startswith(_READING):
                    continue
                for event in line.events:
                    found = _OPERATION.fullmatch(plane.event_metadata[event.metadata_id].name)
                    if found is not None:
                        spent[found[1]] += event.duration_ps
    return {kind: 1e-9 * picoseconds / steps for kind, picoseconds in spent.most_common()}


def steps_table(result: Mapping[str, Any]) -> str:
    """Return a row for each way with its parts, and one for each kind of operation."""
    ways = result["results"]
    rows = [
        [way, rounded(result["values"][way]["median"]), *parts_of(trials)]
        for way, trials in ways.items()
    ]
    parts = markdown([result["benchmark"], "ms a step", *PARTS], rows)
    names = list(ways)
    spent = {way: _operations(ways[way]) for way in (names[0], names[-1])}
    kinds = sorted(
        {kind for one in spent.values() for kind in one},
        key=lambda kind: -sum(one.get(kind, 0.0) for one in spent.values()),
    )
    rows = [
        [kind, *(rounded(one.get(kind, 0.0)) for one in spent.values())] for kind in kinds[:_MOST]
    ]
    return f"{parts}\n{markdown(['ms of threads of rank 0', *spent], rows)}"


def parts_of(trials: list[dict[str, Any]]) -> list[str]:
    """Return the median milliseconds of each part of a step."""
    return [rounded(median(one["parts_ms"][part] for one in trials)) for part in PARTS]


def _operations(trials: list[dict[str, Any]]) -> dict[str, float]:
    """Return the median milliseconds of each kind of operation."""
    kinds = dict.fromkeys(kind for one in trials for kind in one["operations_ms"])
    return {kind: median(one["operations_ms"].get(kind, 0.0) for one in trials) for kind in kinds}


def draw_steps(result: Mapping[str, Any], path: Path) -> None:
    """Draw each way's step as a bar of its parts."""
    from ddl.training.figure import new_figure

    ways = result["results"]
    with new_figure(path, 640, 150 + 45 * len(ways)) as figure:
        axes = figure.add_subplot()
        left = np.zeros(len(ways))
        for part in PARTS:
            widths = [median(one["parts_ms"][part] for one in trials) for trials in ways.values()]
            axes.barh(range(len(ways)), widths, left=left, height=0.6, label=part)
            left += widths
        axes.set_yticks(range(len(ways)), list(ways))
        axes.invert_yaxis()
        axes.set_xlabel("ms a step (medians)")
        axes.set_title("Where the time of a step goes", loc="left", fontweight="bold")
        figure.legend(fontsize=8, ncols=len(PARTS), loc="outside lower center")
