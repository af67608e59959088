"""`probe.jsonl`: a line an epoch with the facts of each layer, written by rank 0. No TensorFlow here.

A line: {"epoch": 3, "samples": 64, "learning_rate": 0.001, "gradient_norm": 0.8, "layers": [{"name": "conv2d", ...}],
"seconds": 0.1}
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddl.files import check_regular, parse_json
from ddl.training.outputs.line_file import LineFile

NAME = "probe.jsonl"

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

logger = logging.getLogger("ddl")

Row = dict[str, Any]


def read_probe(run_dir: Path) -> list[Row]:
    """Return the epochs of `probe.jsonl`; an empty list without the file.

    A last line that is not complete, left by a killed writer, is skipped.

        read_probe(Path("runs/cells"))[-1]["layers"][0]["gradient_norm"]

    Raises:
        ValueError: another line is not that of an epoch; names file and line.
    """
    path = run_dir / NAME
    check_regular(path)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    *lines, _ = text.split("\n")
    return [_parsed(line, path, number) for number, line in enumerate(lines, 1)]


class ProbeFile:
    """The file of a run that trains. A new run replaces it; a run that resumes keeps the epochs before its start."""

    def __init__(self, run_dir: Path, epochs: int) -> None:
        """Keep the lines of the first `epochs` epochs.

        Raises:
            OSError: it cannot be written.
        """
        kept: list[Row] = []
        if epochs:
            try:
                kept = [row for row in read_probe(run_dir) if 0 < row["epoch"] <= epochs]
            except ValueError as error:
                logger.warning("%s It begins again.", error)
        self._file = LineFile(run_dir / NAME, "".join(map(_line, kept)))

    def append(self, row: Mapping[str, Any]) -> None:
        """Append the line of an epoch. A failed write is one warning."""
        self._file.append(_line(row))


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(_to_json(row)) + "\n"


def _to_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _to_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return float(f"{value:.7g}") if isinstance(value, float) else value


def _from_json(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _from_json(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_from_json(name, item) for item in value]
    is_text = name in ("name", "kind")
    return _NOT_FINITE.get(value, value) if isinstance(value, str) and not is_text else value


def _parsed(line: str, path: Path, number: int) -> Row:
    try:
        row = parse_json(line)
    except ValueError:
        row = None
    if not isinstance(row, dict) or not isinstance(row.get("epoch"), int) or not _has_layers(row):
        raise ValueError(
            f"Received: {path}, whose line {number} is not an epoch of a probe. Expected: a line an epoch; delete this."
        )
    found: Row = _from_json("", row)
    return found


def _has_layers(row: Row) -> bool:
    layers = row.get("layers")
    return isinstance(layers, list) and all(
        isinstance(layer, dict) and isinstance(layer.get("name"), str) for layer in layers
    )
