"""Compare setups by measuring them in turn: medians with ranges, ratios of neighbours, a table and a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.benchmark.reports import Result, markdown, pair_ratios, shown, summary
from ddl.benchmark.runner import Setup, run_in_turn


@dataclass(frozen=True)
class Comparison:
    """Setups to compare. Higher is better unless `unit` is a time or a size."""

    name: str  # of the benchmark
    setups: Mapping[str, Setup]  # the first one is the baseline of the ratios
    value: str = "samples_per_s"  # key of the compared number in a trial's result
    unit: str = "samples/s"
    beside: str | None = None  # key of another number to show next to it


def measure(comparison: Comparison, rounds: int) -> Result:
    """Run all setups in turn, and return all results as JSON values."""
    results = run_in_turn(comparison.setups, rounds)
    values = {
        name: [float(trial[comparison.value]) for trial in trials]
        for name, trials in results.items()
    }
    base, *others = values
    ratios = {name: pair_ratios(values[name], values[base]) for name in others}
    beside = {} if comparison.beside is None else {"beside": comparison.beside}
    return beside | {
        "benchmark": comparison.name,
        "unit": comparison.unit,
        "setups": {name: dataclasses.asdict(setup) for name, setup in comparison.setups.items()},
        "values": {name: summary(numbers) | {"all": numbers} for name, numbers in values.items()},
        "base": base,
        "ratios": {name: summary(numbers) | {"all": numbers} for name, numbers in ratios.items()},
        "results": results,
    }


def table_of(result: Mapping[str, Any]) -> str:
    """Return a table with a row for each setup."""
    columns = [result["benchmark"], result["unit"], f"times {result['base']}"]
    beside = numbers_beside(result)
    rows = []
    for name, values in result["values"].items():
        ratio = shown(result["ratios"][name]) if name in result["ratios"] else "1"
        rows.append([name, shown(values), ratio, *([beside[name]] if beside else [])])
    return markdown([*columns, result["beside"]] if beside else columns, rows)


def numbers_beside(result: Mapping[str, Any]) -> dict[str, str]:
    """Return the other number of each setup, or nothing where the comparison has none."""
    if "beside" not in result:
        return {}
    return {
        name: shown(summary([trial[result["beside"]] for trial in trials]))
        for name, trials in result["results"].items()
    }


def draw_comparison(result: Mapping[str, Any], path: Path) -> None:
    """Draw each setup's median as a bar and its rounds as points."""
    from ddl.training.record.figure import FOUND, TRUTH, new_figure

    names = list(result["values"])
    with new_figure(path, 480, 90 + 45 * len(names)) as figure:
        axes = figure.add_subplot()
        for row, name in enumerate(names):
            values = result["values"][name]
            axes.barh(row, values["median"], color=TRUTH, alpha=0.25, height=0.6)
            axes.scatter(values["all"], [row] * len(values["all"]), color=FOUND, s=14, zorder=3)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlim(left=0)
        axes.set_xlabel(f"{result['unit']} (points: rounds; bars: medians)")
        axes.set_title(result["benchmark"], loc="left", fontweight="bold")
