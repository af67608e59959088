"""All-reduce by size of message: the latency and bandwidth that the cost model wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddl.benchmark.result import markdown, rounded, shown, summary
from ddl.benchmark.runner import Setup
from ddl.benchmark.trial import Trial
from ddl.options import convert_fields
from ddl.ranges import Range, check_ranges


@dataclass(frozen=True, kw_only=True)
class WireRequest:
    """Measurement.

    Attributes:
        ranks: of the job.
        threads: of each rank.
        rounds: how often the job is started.
        output: name of the results, to which .json, .md and .png are added; nothing is written without.
    """

    ranks: int = 2
    threads: int = 1
    rounds: int = 3
    output: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be measured."""
        convert_fields(self)
        ranges = {**dict.fromkeys(("threads", "rounds"), Range(1, 1000)), "ranks": Range(2, 10**6)}
        check_ranges(vars(self), ranges, "a benchmark")

    def setup(self) -> Setup:
        """Return how it is started."""
        return Setup(Trial("allreduce"), self.ranks, self.threads)


def wire_result(found: list[dict[str, Any]], ranks: int) -> dict[str, Any]:
    """Return seconds by size; of the smallest message the latency, of the largest the bytes a second of a ring."""
    sizes = [int(size) for size in found[0]["seconds_of_bytes"]]
    seconds = {size: [one["seconds_of_bytes"][str(size)] for one in found] for size in sizes}
    medians = np.array([np.median(seconds[size]) for size in sizes])
    crossed = 2 * (ranks - 1) / ranks * np.array(sizes)
    return {
        "benchmark": "allreduce",
        "ranks": ranks,
        "seconds": {str(size): summary(values) for size, values in seconds.items()},
        "latency_s": float(medians[0]),
        "mb_per_s": float(crossed[-1] / medians[-1] / 1e6),
    }


def wire_table(result: Mapping[str, Any]) -> str:
    """Return a row for each size."""
    ranks = result["ranks"]
    rows = []
    for size, seconds in result["seconds"].items():
        milliseconds = {name: 1e3 * value for name, value in seconds.items()}
        crossed = 2 * (ranks - 1) / ranks * int(size) / seconds["median"] / 1e6
        rows.append([f"{int(size):,}", shown(milliseconds), rounded(crossed)])
    return markdown(["bytes", f"ms on {ranks} ranks", "MB/s a rank sends"], rows)


def draw_wire(result: Mapping[str, Any], path: Path) -> None:
    """Draw seconds over bytes."""
    from ddl.training.figure import FOUND, new_figure

    sizes = [int(size) for size in result["seconds"]]
    with new_figure(path, 480, 320) as figure:
        axes = figure.add_subplot()
        medians = [1e3 * one["median"] for one in result["seconds"].values()]
        axes.plot(sizes, medians, color=FOUND, marker="o")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        # Names of our own: matplotlib's are formulas, which our figures show as they are.
        axes.set_xticks(sizes, [_named_size(size) for size in sizes])
        powers = 10.0 ** np.arange(*np.floor(np.log10([min(medians), 10 * max(medians)])))
        axes.set_yticks(powers, [f"{power:g}" for power in powers])
        axes.minorticks_off()
        axes.set_xlabel("message")
        axes.set_ylabel("ms")
        axes.set_title(f"all-reduce on {result['ranks']} ranks", loc="left", fontweight="bold")


def _named_size(size: int) -> str:
    """Return "4 B", "16 KiB", "64 MiB"."""
    for unit, number in (("MiB", 2**20), ("KiB", 2**10)):
        if size >= number:
            return f"{size / number:.3g} {unit}"
    return f"{size} B"
