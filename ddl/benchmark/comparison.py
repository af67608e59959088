"""Compare setups by measuring them in turn: medians with ranges, ratios of neighbours, a table and a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.benchmark.reports import markdown, pair_ratios, report, say, shown, summary
from ddl.benchmark.runner import Setup, run_in_turn

_HIDDEN = ("seed",)


@dataclass(frozen=True)
class Comparison:
    """Setups to compare.

    Attributes:
        name: of the benchmark.
        setups: name -> how to start it; the first one is the baseline of the ratios.
        value: key of the compared number in a trial's result. Higher is better unless `unit` is a time or a size.
        unit: of that number.
        beside: key of another number of the result to show next to it.
    """

    name: str
    setups: Mapping[str, Setup]
    value: str = "samples_per_s"
    unit: str = "samples/s"
    beside: str | None = None


def run(request: Any) -> None:
    """Measure the comparison of a request, and report it."""
    result = measure(request.comparison(), request.rounds, say)
    report(request.output, result, table_of, draw_comparison)


def measure(comparison: Comparison, rounds: int, say: Callable[[str], object]) -> dict[str, Any]:
    """Run all setups in turn, and return all results as JSON values."""
    results = run_in_turn(comparison.setups, rounds, say)
    values = {name: _values(found, comparison.value) for name, found in results.items()}
    base, *others = values
    beside = {} if comparison.beside is None else {"beside": comparison.beside}
    return beside | {
        "benchmark": comparison.name,
        "unit": comparison.unit,
        "setups": {name: _as_json(setup) for name, setup in comparison.setups.items()},
        "values": {name: summary(found) | {"all": found} for name, found in values.items()},
        "base": base,
        "ratios": {
            name: summary(ratios) | {"all": ratios}
            for name in others
            for ratios in [pair_ratios(values[name], values[base])]
        },
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
        name: shown(summary(_values(found, result["beside"])))
        for name, found in result["results"].items()
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


def _values(found: list[dict[str, Any]], name: str) -> list[float]:
    return [float(one[name]) for one in found]


def _as_json(setup: Setup) -> dict[str, Any]:
    """Return a setup as JSON values."""
    values = dataclasses.asdict(setup)
    values["trial"] = {key: one for key, one in values["trial"].items() if key not in _HIDDEN}
    return values
