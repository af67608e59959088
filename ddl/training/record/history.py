"""The history of a run: `history.jsonl` (one line per epoch) and `history.csv` (one row per epoch)."""

from __future__ import annotations

import csv
import io
import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ddl.files import check_regular, open_to_append, parse_json, write_whole

JSONL_NAME, CSV_NAME = "history.jsonl", "history.csv"

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

logger = logging.getLogger("ddl")


def append_epoch(run_dir: Path, epochs: Sequence[Mapping[str, Any]]) -> None:
    """Append the last of `epochs` to both files. If a file does not end with the previous epoch, rewrite it.

    Only rank 0 calls it.

    Raises:
        OSError: the files cannot be written, such as on a full disk. The next call, or `write_history`, repairs them.
    """
    before, last = epochs[:-1], plain_numbers(epochs[-1])
    columns = _columns(before)
    if not _is_whole(run_dir, before) or _columns(epochs) != columns:
        write_history(run_dir, epochs)
        return
    for name, line in ((JSONL_NAME, _json_line(last)), (CSV_NAME, _csv_lines([last], columns))):
        with open_to_append(run_dir / name) as file:
            file.write(line)


def write_history(run_dir: Path, epochs: Sequence[Mapping[str, Any]]) -> None:
    """Write both files whole. Only rank 0 calls it."""
    numbers = [plain_numbers(epoch) for epoch in epochs]
    columns = _columns(numbers)
    _write_text(run_dir / JSONL_NAME, "".join(map(_json_line, numbers)))
    _write_text(run_dir / CSV_NAME, _csv_lines(numbers, columns, header=bool(columns)))


def read_history(run_dir: Path) -> list[dict[str, Any]]:
    """Return the epochs of `history.jsonl`; an empty list without the file.

    An unfinished last line, left by a killed writer, is skipped.

        read_history(Path("runs/cells"))[-1]["val_loss"]

    Raises:
        ValueError: another line is not a JSON object; names file and line.
    """
    path = run_dir / JSONL_NAME
    check_regular(path)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    *lines, unfinished = text.split("\n")
    if unfinished:
        logger.warning("%s: the last line is incomplete and is skipped", path)
    return [_parsed(line, path, number) for number, line in enumerate(lines, 1)]


def plain_numbers(epoch: Mapping[str, Any]) -> dict[str, Any]:
    """Return an epoch's values as Python values: tensors and NumPy scalars become numbers, matrices become lists."""
    return {
        name: value if isinstance(value, int | float | str) else np.asarray(value).tolist()
        for name, value in epoch.items()
    }


def _write_text(path: Path, text: str) -> None:
    write_whole(path, lambda partial: partial.write_bytes(text.encode()))


def _columns(epochs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names used in all epochs, in order of first use."""
    return list(dict.fromkeys(name for epoch in epochs for name in epoch))


def _is_whole(run_dir: Path, epochs: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether both files end with the last of `epochs`."""
    if not epochs:
        return False
    last = plain_numbers(epochs[-1])
    ends = (
        (JSONL_NAME, _json_line(last)),
        (CSV_NAME, _csv_lines([last], _columns(epochs))),
    )
    try:
        return all((run_dir / name).read_bytes().endswith(end.encode()) for name, end in ends)
    except OSError:
        return False


def _json_line(epoch: Mapping[str, Any]) -> str:
    """Return an epoch as JSON. Non-finite numbers become "NaN", "Infinity" and "-Infinity", since JSON has none."""
    return json.dumps({name: _to_json(value) for name, value in epoch.items()}) + "\n"


def _to_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    return _NOT_FINITE.get(value, value) if isinstance(value, str) else value


def _parsed(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        epoch = parse_json(line)
    except ValueError:
        epoch = None
    if not isinstance(epoch, dict):
        raise ValueError(
            f"Received: {path}, whose line {number} is not a JSON object. Expected: one epoch per line; delete this."
        )
    return {name: _from_json(value) for name, value in epoch.items()}


def _csv_lines(
    epochs: Sequence[Mapping[str, Any]], columns: Sequence[str], *, header: bool = False
) -> str:
    """Return one row per epoch: missing values are empty, a matrix is JSON, nan and inf are as NumPy reads them."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    if header:
        writer.writeheader()
    for epoch in epochs:
        writer.writerow(
            {
                name: json.dumps(_to_json(value)) if isinstance(value, list) else value
                for name, value in epoch.items()
            }
        )
    return text.getvalue()
