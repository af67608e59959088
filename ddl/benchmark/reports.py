"""What each subcommand prints, and writes where it is told to."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.extras import ExtrasRequest, extras_table, measure_extras
from benchmarks.suite import (
    SuiteRequest,
    measure_all,
    put_into_page,
    suite_tables,
)
from ddl.benchmark.allreduce import WireRequest, draw_wire, wire_result, wire_table
from ddl.benchmark.comparison import draw_comparison, table_of
from ddl.benchmark.comparison import measure as measure_in_turn
from ddl.benchmark.epochs import EpochsRequest, compare_epochs, draw_epochs, epochs_table
from ddl.benchmark.projection import (
    ProjectRequest,
    as_json,
    draw_projection,
    project_all,
    projection_table,
    work_of,
)
from ddl.benchmark.requests import StepsRequest
from ddl.benchmark.result import write_result
from ddl.benchmark.runner import run_trial
from ddl.benchmark.steps import draw_steps, steps_table
from ddl.distributed.quiet import loading_tensorflow


def measure(request: Any) -> None:
    """Measure what is compared, in turn."""
    result = measure_in_turn(request.comparison(), request.rounds, _say)
    _answer(request.output, result, table_of(result), draw_comparison)


def reduce(request: WireRequest) -> None:
    """Measure all-reduce by size of message."""
    found = [run_trial(request.setup()) for _ in range(request.rounds)]
    result = wire_result(found, request.ranks)
    _answer(request.output, result, wire_table(result), draw_wire)


def extras(request: ExtrasRequest) -> None:
    """Measure what goes on beside the training."""
    result = measure_extras(request)
    _answer(request.output, result, extras_table(result), draw_comparison)


def steps(request: StepsRequest) -> None:
    """Measure the parts of a step."""
    result = measure_in_turn(request.comparison(), request.rounds, _say)
    _answer(request.output, result, steps_table(result), draw_steps)


def epochs(request: EpochsRequest) -> None:
    """Hold the histories of two runs side by side."""
    result = compare_epochs(request)
    _answer(request.output, result, epochs_table(result), draw_epochs)


def project(request: ProjectRequest) -> None:
    """Project a model to more ranks and other networks."""
    with loading_tensorflow():
        work = work_of(request)
    found = project_all(request, work)
    sizes = work.gradient_bytes
    _say(
        f"{request.model}: {sum(sizes) / 1e6:.1f} MB of gradients in {len(sizes)} variables, "
        f"{work.meetings} reductions of synchronized normalization a step"
    )
    _answer(
        request.output,
        as_json(request, work, found),
        projection_table(request, found),
        lambda _, path: draw_projection(request, found, path),
    )


def suite(request: SuiteRequest) -> None:
    """Measure all that is defined, and show it beside what is wanted."""
    if not request.table_only:
        measure_all(request)
    with loading_tensorflow():
        tables = suite_tables()
    _say(tables)
    if request.page is not None:
        put_into_page(request.page, tables)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _answer(
    output: Path | None,
    result: dict[str, Any],
    table: str,
    draw: Callable[[dict[str, Any], Path], object],
) -> None:
    """Print the table; write it with all numbers and a picture."""
    _say(table)
    if output is not None:
        write_result(output, result, table)
        draw(result, output.with_name(f"{output.name}.png"))
