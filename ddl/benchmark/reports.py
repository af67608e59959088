"""Write the result of a benchmark: JSON with the machine's facts, a Markdown table, a picture."""

from __future__ import annotations

import json
import math
import shlex
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ddl.files import write_whole
from ddl.training.record.run_facts import gather_facts

Result = dict[str, Any]

_FACTS = (
    *("git", "versions", "processor", "instruction_sets", "cores", "memory_gb", "gpus", "settings"),
)


def summary(values: Sequence[float]) -> dict[str, float]:
    """Return median, minimum and maximum."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def pair_ratios(values: Sequence[float], bases: Sequence[float]) -> list[float]:
    """Return each value divided by the one measured beside it."""
    return [value / base for value, base in zip(values, bases, strict=True)]


def shown(numbers: dict[str, float]) -> str:
    """Return "1.93 (1.90 to 1.95)" of a summary."""
    return f"{rounded(numbers['median'])} ({rounded(numbers['min'])} to {rounded(numbers['max'])})"


def rounded(value: float) -> str:
    """Return a number with three significant digits; all digits before the decimal point are kept."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def report(
    output: Path | None,
    result: Result,
    table: Callable[[Result], str],
    draw: Callable[[Result, Path], object],
) -> None:
    """Print the table; with `output`, also write it with all numbers and a picture."""
    print(table(result), flush=True)
    if output is not None:
        write_result(output, result, table(result))
        draw(result, output.with_name(f"{output.name}.png"))


def write_result(stem: Path, result: Result, table: str) -> None:
    """Write STEM.json, with the machine's facts, and STEM.md."""
    facts = gather_facts()
    known = {name: facts[name] for name in _FACTS if facts[name]}
    known["versions"] = {k: v for k, v in facts["versions"].items() if k != "executable"}
    known |= {"started": facts["started"], "command": shlex.join(["python", *sys.argv])}
    text = json.dumps(result | {"facts": known}, indent=1) + "\n"
    write_whole(stem.with_name(f"{stem.name}.json"), lambda path: path.write_text(text, "utf-8"))
    write_whole(stem.with_name(f"{stem.name}.md"), lambda path: path.write_text(table, "utf-8"))
