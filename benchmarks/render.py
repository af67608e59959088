"""Tables and pictures of the results in benchmarks/results, whose JSON files alone are kept.

python benchmarks/run.py render
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.extras import extras_table
from benchmarks.model_check import model_table
from benchmarks.suite import RESULTS, ROOT, Definition, definitions
from ddl.benchmark.allreduce import allreduce_table, draw_allreduce
from ddl.benchmark.comparison import draw_comparison, numbers_beside, table_of
from ddl.benchmark.epochs import draw_epochs, epochs_table
from ddl.benchmark.projection import draw_projection, projection_table
from ddl.benchmark.reports import Result, markdown, rounded, shown
from ddl.benchmark.steps import draw_steps, parts_of, steps_table
from ddl.distributed.job.quiet import loading_tensorflow
from ddl.files import write_whole
from ddl.options import convert_fields
from ddl.training.profiling.step_time import PARTS

BEGIN, END = "<!-- rendered: begin -->", "<!-- rendered: end -->"
_COSTS = ("s", "%")
_WITH_HIDDEN_COSTS = ("peers", "loop", "after the last step of an epoch", "MPI's waiting")
_SIGNS = re.compile(r"\([RT]M?\)| Processor")

Draw = Callable[[Result, Path], object]
RENDERERS: dict[str, tuple[Callable[[Result], str], Draw]] = {
    "allreduce": (allreduce_table, draw_allreduce),
    "epochs": (epochs_table, draw_epochs),
    "extras": (extras_table, draw_comparison),
    "project": (projection_table, draw_projection),
    "steps": (steps_table, draw_steps),
}
"""Benchmark -> its table and its picture; the others are comparisons."""


@dataclass(frozen=True, kw_only=True)
class RenderRequest:
    """Output.

    Attributes:
        output: folder of the tables and pictures (default: benchmarks/results, where git ignores them).
        pages: also update the tables of benchmarks/README.md and docs/performance.md.
    """

    output: Path = RESULTS
    pages: bool = True

    def __post_init__(self) -> None:
        """Refuse what is not a folder."""
        convert_fields(self)
        if not self.output.is_dir():
            raise ValueError(f"Received: output={self.output}. Expected: a folder that exists.")

    def run(self) -> None:
        """Render all results, and update the pages."""
        for path in sorted(RESULTS.glob("*.json")):
            result = json.loads(path.read_text("utf-8"))
            if "benchmark" in result:
                render(result, self.output / path.stem)
        if self.pages:
            with loading_tensorflow():
                for name, tables in PAGES.items():
                    put_into_page(ROOT / name, tables())
        print(f"{self.output} has the tables and pictures.")


def render(result: Result, stem: Path) -> None:
    """Write STEM.md and STEM.png."""
    table, draw = RENDERERS.get(result["benchmark"], (table_of, draw_comparison))
    text = table(result)
    write_whole(stem.with_name(f"{stem.name}.md"), lambda path: path.write_text(text, "utf-8"))
    draw(result, stem.with_name(f"{stem.name}.png"))


def expected_table(results: Path = RESULTS) -> str:
    """Return the table of docs/performance.md: the measurements that tell a user what to expect."""
    rows = [
        [str(definition.expect), _measured(result), _ratios(result), _machine(result)]
        for definition, result in read_results(definitions(), results)
        if definition.expect is not None
    ]
    return markdown(["Measurement", "Medians (range)", "Ratio to the first", "Processor"], rows)


def all_tables(results: Path = RESULTS) -> str:
    """Return the tables of benchmarks/README.md."""
    measurements = definitions()
    tables = [f"### {title}\n\n{table(measurements, results)}" for title, table in TABLES.items()]
    tables += [
        f"### Projected: {definition.what}\n\n{projection_table(result)}"
        for definition, result in read_results(measurements, results)
        if result["benchmark"] == "project"
    ]
    return "\n".join(tables)


PAGES = {"benchmarks/README.md": all_tables, "docs/performance.md": expected_table}
"""Page -> the tables between its two marks."""


def scaling_table(measurements: Sequence[Definition], results: Path = RESULTS) -> str:
    """Return the cost model's prediction of each scaling, from the measured all-reduces and jitters."""
    measured = list(read_results(measurements, results))
    return model_table(
        {
            definition.what: result
            for definition, result in measured
            if result["benchmark"] == "weak scaling"
        },
        {result["ranks"]: result for _, result in measured if result["benchmark"] == "allreduce"},
        dict(_jitter(result) for _, result in measured if result["benchmark"] == "limit"),
    )


def suite_table(measurements: Sequence[Definition], results: Path = RESULTS) -> str:
    """Return a row for each definition that has a result."""
    rows = [
        [
            definition.what,
            _measured(result),
            _ratios(result),
            _wanted(definition, result),
            _source(definition, result),
        ]
        for definition, result in read_results(measurements, results)
        if result["benchmark"] not in ("steps", "project")
    ]
    return markdown(["What", "Measured", "Times the first", "Wanted", "Result"], rows)


def parts_of_steps(measurements: Sequence[Definition], results: Path = RESULTS) -> str:
    """Return the milliseconds of the parts of each profiled step."""
    rows = [
        [
            f"{definition.what}: {way}",
            shown(result["values"][way]),
            *parts_of(trials),
            _source(definition, result),
        ]
        for definition, result in read_results(measurements, results)
        if result["benchmark"] == "steps"
        for way, trials in result["results"].items()
    ]
    return markdown(["The time of a step, in ms", "all", *PARTS, "Result"], rows)


def parts_of_epochs(measurements: Sequence[Definition], results: Path = RESULTS) -> str:
    """Return the seconds of each epoch and of its part after the last step, where a cost may hide."""
    rows = []
    for definition, result in read_results(measurements, results):
        if result["benchmark"] not in _WITH_HIDDEN_COSTS:
            continue
        for way, trials in result.get("results", {}).items():
            if "after_last_step_s" in trials[-1]:
                parts = [trials[-1][name] for name in ("epoch_s", "after_last_step_s")]
                texts = (", ".join(f"{seconds:.2f}" for seconds in part) for part in parts)
                rows.append([f"{definition.what}: {way}", *texts])
    columns = ["The last round of", "seconds of each epoch", "of which after its last step"]
    return markdown(columns, rows)


TABLES = {
    "Figures and bounds": suite_table,
    "The parts of a step": parts_of_steps,
    "The parts of an epoch": parts_of_epochs,
    "The cost model and the measurements": scaling_table,
}
"""Title -> function that makes the table of definitions and the folder of results."""


def put_into_page(page: Path, tables: str) -> None:
    """Replace the text between the two marks of a page.

    Raises:
        ValueError: the page lacks the marks.
    """
    text = page.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"Received: {page}. Expected: a page with the lines {BEGIN} and {END}.")
    write_whole(
        page,
        lambda path: path.write_text(f"{before}{BEGIN}\n\n{tables}\n{END}{after}", "utf-8"),
    )


def read_results(
    measurements: Sequence[Definition], results: Path
) -> Iterator[tuple[Definition, Result]]:
    """Yield the definitions that have a result, with it."""
    for definition in measurements:
        path = results / f"{definition.name}.json"
        if path.exists():
            yield definition, json.loads(path.read_text("utf-8"))


def _jitter(result: Mapping[str, Any]) -> tuple[str, float]:
    """Return the model, and the jitter of its steps on independent ranks."""
    apart = list(result["results"])[-1]
    model = result["setups"][apart]["trial"]["model"]
    return model, statistics.median(trial["jitter"] for trial in result["results"][apart])


def _measured(result: Mapping[str, Any]) -> str:
    if "values" not in result:  # an all-reduce
        return f"{rounded(1e3 * result['latency_s'])} ms, {rounded(result['mb_per_s'])} MB/s"
    measured = [f"{name} {shown(values)}" for name, values in result["values"].items()]
    beside = [f"{name} {number}" for name, number in numbers_beside(result).items()]
    extra = f"; {result['beside']} {', '.join(beside)}" if beside else ""
    return f"{', '.join(measured)} {result['unit']}{extra}"


def _ratios(result: Mapping[str, Any]) -> str:
    return ", ".join(shown(ratio) for ratio in result.get("ratios", {}).values())


def _wanted(definition: Definition, result: Mapping[str, Any]) -> str:
    """Return the bounds, and whether the medians meet them."""
    bounds: list[tuple[str, bool]] = []
    if definition.wanted is not None or definition.most is not None:
        ratio = next(iter(result["ratios"].values()))["median"]
        if definition.wanted is not None:
            bounds.append((f"{definition.wanted:g}", ratio >= definition.wanted))
        if definition.most is not None:
            bounds.append((f"{definition.most:g} at most", ratio <= definition.most))
    if definition.wanted_value is not None:
        values = [value["median"] for value in result["values"].values()]
        bound = definition.wanted_value
        is_cost = result["unit"].split()[0] in _COSTS
        is_met = max(values) <= bound if is_cost else values[:2][-1] >= bound
        bounds.append((f"{bound:,g} {result['unit']}", is_met))
    return ", ".join(text if is_met else f"{text}: not met" for text, is_met in bounds)


def _source(definition: Definition, result: Mapping[str, Any]) -> str:
    """Return the result's name, how often it was measured, when, and on which processor."""
    values = next(iter(result.get("values", result.get("seconds", {})).values()))
    rounds = len(values["all"]) if "all" in values else 0
    origin = [f"{rounds} round{'s' * (rounds > 1)}"] if rounds else []
    facts = result.get("facts", {})
    if "started" in facts:
        origin.append(facts["started"][:10])
    if "processor" in facts:
        origin.append(_machine(result))
    return f"`{definition.name}`" + (f" ({', '.join(origin)})" if origin else "")


def _machine(result: Mapping[str, Any]) -> str:
    return _SIGNS.sub("", result["facts"]["processor"])
