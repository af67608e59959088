"""The result of a benchmark: as JSON with the machine's facts, as a Markdown table, as a picture."""

from __future__ import annotations

import json
import math
import shlex
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ddl.files import write_whole
from ddl.training.facts import gather_facts

_FACTS = ("git", "versions", "processor", "cores", "memory_gb", "gpus", "settings")


def summary(values: Sequence[float]) -> dict[str, float]:
    """Return median, least and most."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def pair_ratios(values: Sequence[float], bases: Sequence[float]) -> list[float]:
    """Return each value over the one that was measured beside it."""
    return [value / base for value, base in zip(values, bases, strict=True)]


def shown(numbers: dict[str, float]) -> str:
    """Return "1.93 (1.90 to 1.95)" of a summary."""
    return f"{rounded(numbers['median'])} ({rounded(numbers['min'])} to {rounded(numbers['max'])})"


def rounded(value: float) -> str:
    """Return three digits that count, whole numbers above 1000 whole."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_result(stem: Path, result: dict[str, Any], table: str) -> None:
    """Write STEM.json, with the machine's facts, and STEM.md."""
    facts = gather_facts()
    known = {name: facts[name] for name in _FACTS if facts[name]}
    known["versions"] = {k: v for k, v in facts["versions"].items() if k != "executable"}
    known |= {"started": facts["started"], "command": shlex.join(["python", *sys.argv])}
    text = json.dumps(result | {"facts": known}, indent=1) + "\n"
    write_whole(stem.with_name(f"{stem.name}.json"), lambda path: path.write_text(text, "utf-8"))
    write_whole(stem.with_name(f"{stem.name}.md"), lambda path: path.write_text(table, "utf-8"))
