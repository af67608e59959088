"""All measurements of benchmarks/definitions.json: run in turn, and shown in one table beside what is wanted."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.model_check import model_table
from ddl.benchmark.comparison import numbers_beside
from ddl.benchmark.result import markdown, rounded, shown
from ddl.benchmark.steps import parts_of
from ddl.files import write_whole
from ddl.options import convert_fields
from ddl.training.step_time import PARTS

ROOT = Path(__file__).resolve().parents[1]
DEFINITIONS = ROOT / "benchmarks/definitions.json"
RESULTS = ROOT / "benchmarks/results"
_COSTS = ("s", "%")
_WITH_HIDDEN_COSTS = ("peers", "loop", "after the last step of an epoch", "MPI's waiting")
_SIGNS = re.compile(r"\([RT]M?\)| Processor")
BEGIN, END = "<!-- The table of benchmark.py suite begins. -->", "<!-- It ends. -->"


@dataclass(frozen=True)
class Definition:
    """A measurement.

    Attributes:
        name: of its results, in benchmarks/results.
        what: it is, in words.
        command: words after benchmark.py.
        wanted: what the first ratio is to be at least, or None.
        wanted_value: what the second value (the first of one) is to be at least; where it is a cost, in seconds or
            percent, what all are to be at most.
        most: what the first ratio is to be at most, or None.
    """

    name: str
    what: str
    command: str
    wanted: float | None = None
    wanted_value: float | None = None
    most: float | None = None


@dataclass(frozen=True, kw_only=True)
class SuiteRequest:
    """Measurement.

    Attributes:
        only: names of benchmarks/definitions.json; all without.
        table_only: measure nothing, show the results that are there.
        page: a Markdown file whose table is brought up to date.
    """

    only: tuple[str, ...] = ()
    table_only: bool = False
    page: Path | None = None

    def __post_init__(self) -> None:
        """Refuse names that nothing has, and a page without a place for the table."""
        convert_fields(self)
        known = [one.name for one in definitions()]
        for name in self.only:
            if name not in known:
                raise ValueError(f"Received: only={name!r}. Expected: of {', '.join(known)}.")
        if self.page is not None and not (self.page.is_file() and _has_place(self.page)):
            raise ValueError(
                f"Received: page={self.page}. Expected: a file with the lines {BEGIN} and {END}."
            )


def definitions(path: Path = DEFINITIONS) -> list[Definition]:
    """Return them, in the order of the table."""
    return [Definition(**one) for one in json.loads(path.read_text("utf-8"))]


def measure_all(request: SuiteRequest) -> None:
    """Run what is asked for, each in a process of its own, as its command says.

    Raises:
        ValueError: one failed; it has said why.
    """
    for one in definitions():
        if not request.only or one.name in request.only:
            words = [*one.command.split(), "--output", f"benchmarks/results/{one.name}"]
            status = subprocess.run(
                [sys.executable, "scripts/benchmark.py", *words], cwd=ROOT, check=False
            ).returncode
            if status:
                raise ValueError(f"{one.name} ended with status {status}; the rest was not run.")


def suite_tables(results: Path = RESULTS) -> str:
    """Return all tables of the measurements that have a result."""
    found = definitions()
    return "\n".join(f"### {title}\n\n{table(found, results)}" for title, table in TABLES.items())


def scaling_table(found: Sequence[Definition], results: Path = RESULTS) -> str:
    """Return what the cost model says to each scaling, from the all-reduces and jitters beside them."""
    measured = list(_results(found, results))
    return model_table(
        {one.what: result for one, result in measured if result["benchmark"] == "weak scaling"},
        {result["ranks"]: result for _, result in measured if result["benchmark"] == "allreduce"},
        dict(_jitter(result) for _, result in measured if result["benchmark"] == "limit"),
    )


def suite_table(found: Sequence[Definition], results: Path = RESULTS) -> str:
    """Return a row for each definition that has a result."""
    rows = [
        [one.what, _measured(result), _ratios(result), _wanted(one, result), _source(one, result)]
        for one, result in _results(found, results)
        if result["benchmark"] not in ("steps", "project")
    ]
    return markdown(["What", "Measured", "Times the first", "Wanted", "Result"], rows)


def steps_table(found: Sequence[Definition], results: Path = RESULTS) -> str:
    """Return, of all steps that were profiled, the milliseconds of their parts."""
    rows = [
        [
            f"{one.what}: {way}",
            shown(result["values"][way]),
            *parts_of(trials),
            _source(one, result),
        ]
        for one, result in _results(found, results)
        if result["benchmark"] == "steps"
        for way, trials in result["results"].items()
    ]
    return markdown(["The time of a step, in ms", "all", *PARTS, "Result"], rows)


def parts_table(found: Sequence[Definition], results: Path = RESULTS) -> str:
    """Return, where a cost may hide between two epochs, what each took and what of it came after its last step."""
    rows = []
    for one, result in _results(found, results):
        if result["benchmark"] not in _WITH_HIDDEN_COSTS:
            continue
        for way, trials in result.get("results", {}).items():
            if "after_last_step_s" in trials[-1]:
                parts = [trials[-1][name] for name in ("epoch_s", "after_last_step_s")]
                told = (", ".join(f"{seconds:.2f}" for seconds in part) for part in parts)
                rows.append([f"{one.what}: {way}", *told])
    columns = ["The last round of", "seconds of each epoch", "of which after its last step"]
    return markdown(columns, rows)


def put_into_page(page: Path, tables: str) -> None:
    """Replace what stands between the two marks."""
    text = page.read_text("utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    write_whole(
        page,
        lambda path: path.write_text(f"{before}{BEGIN}\n\n{tables}\n{END}{after}", "utf-8"),
    )


TABLES = {
    "Figures and bounds": suite_table,
    "The parts of a step": steps_table,
    "The parts of an epoch": parts_table,
    "The cost model against this": scaling_table,
}
"""Title -> what makes the table of definitions and the folder of results."""


def _has_place(page: Path) -> bool:
    text = page.read_text("utf-8")
    return text.count(BEGIN) == text.count(END) == 1 and text.index(BEGIN) < text.index(END)


def _results(
    found: Sequence[Definition], results: Path
) -> Iterator[tuple[Definition, dict[str, Any]]]:
    for one in found:
        path = results / f"{one.name}.json"
        if path.exists():
            yield one, json.loads(path.read_text("utf-8"))


def _jitter(result: Mapping[str, Any]) -> tuple[str, float]:
    """Return the model, and how its steps vary on ranks that never talk."""
    apart = list(result["results"])[-1]
    model = result["setups"][apart]["trial"]["model"]
    return model, statistics.median(one["jitter"] for one in result["results"][apart])


def _measured(result: Mapping[str, Any]) -> str:
    if "values" not in result:  # an all-reduce
        return f"{rounded(1e3 * result['latency_s'])} ms, {rounded(result['mb_per_s'])} MB/s"
    told = [f"{name} {shown(values)}" for name, values in result["values"].items()]
    beside = [f"{name} {number}" for name, number in numbers_beside(result).items()]
    extra = f"; {result['beside']} {', '.join(beside)}" if beside else ""
    return f"{', '.join(told)} {result['unit']}{extra}"


def _ratios(result: Mapping[str, Any]) -> str:
    return ", ".join(shown(ratio) for ratio in result.get("ratios", {}).values())


def _wanted(one: Definition, result: Mapping[str, Any]) -> str:
    """Return the bounds, and whether the medians keep them."""
    told = []
    if one.wanted is not None or one.most is not None:
        ratio = next(iter(result["ratios"].values()))["median"]
        if one.wanted is not None:
            told.append(f"{one.wanted:g}" + (": not met" if ratio < one.wanted else ""))
        if one.most is not None:
            told.append(f"{one.most:g} at most" + (": not met" if ratio > one.most else ""))
    if one.wanted_value is not None:
        values = [value["median"] for value in result["values"].values()]
        is_cost = result["unit"].split()[0] in _COSTS
        missed = max(values) > one.wanted_value if is_cost else values[:2][-1] < one.wanted_value
        told.append(f"{one.wanted_value:,g} {result['unit']}" + (": not met" if missed else ""))
    return ", ".join(told)


def _source(one: Definition, result: Mapping[str, Any]) -> str:
    """Return the result's name, how often it was measured, when, and on which processor."""
    values = next(iter(result.get("values", result.get("seconds", {})).values()))
    rounds = len(values["all"]) if "all" in values else 0
    told = [f"{rounds} round{'s' * (rounds > 1)}"] if rounds else []
    facts = result.get("facts", {})
    if "started" in facts:
        told.append(facts["started"][:10])
    if "processor" in facts:
        told.append(_SIGNS.sub("", facts["processor"]))
    return f"`{one.name}`" + (f" ({', '.join(told)})" if told else "")
