"""Results by groups of samples: by class, by size of the object, by brightness, or by a column of a table. Pure."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddl.files import read_text
from ddl.plain_text import escaped
from ddl.ranges import did_you_mean

OWN = ("class", "size", "intensity", "contrast")
"""Columns that the samples have themselves."""
BINS = 5
MOST_VALUES = 8
"""A column with more different numbers is cut into `BINS` groups of equally many samples."""
MOST_GROUPS = 200
UNKNOWN = "unknown"
_MISSING = ("", "nan", "na", "n/a", "none", "null")
"""Cells without a value, as spreadsheets and pandas write them."""
_KEYS = ("name", "file", "picture", "image", "index")


@dataclass(frozen=True)
class Table:
    """A CSV table beside the samples.

    Attributes:
        path: its file.
        columns: their names.
        rows: name of a sample -> its cells by column.
    """

    path: Path
    columns: tuple[str, ...]
    rows: Mapping[str, Mapping[str, str]]

    def cell(self, column: str, name: str, index: int) -> str:
        """Return the cell of a sample, "" without one: by its name, file name, stem or number."""
        for key in (name, Path(name).name, Path(name).stem, str(index)):
            if key in self.rows:
                return self.rows[key].get(column) or ""
        return ""


def read_table(path: Path, wanted: Sequence[str]) -> Table:
    """Read a CSV table with a column that names the samples: `name`, `file`, `picture`, `image`, `index`, or the first.

    Raises:
        ValueError: it is no such table, or lacks a wanted column; one line.
    """
    text = read_text(path).removeprefix("\ufeff")
    lines = list(csv.reader(io.StringIO(text)))
    if len(lines) < 2:
        raise ValueError(
            f"Received: by_table={path} without rows. Expected: a heading, and a line for each sample."
        )
    heading = [cell.strip() for cell in lines[0]]
    for column in wanted:
        if column not in (*heading, *OWN):
            near = did_you_mean(column, (*heading, *OWN))
            known = ", ".join((*heading, *OWN))
            raise ValueError(
                f"Received: by={column}, which {path} does not have.{near} Expected one of: {known}."
            )
    lower = [cell.lower() for cell in heading]
    place = next((lower.index(key) for key in _KEYS if key in lower), 0)
    rows: dict[str, Mapping[str, str]] = {}
    for number, line in enumerate(lines[1:], 2):
        if not any(cell.strip() for cell in line):
            continue
        if len(line) != len(heading):
            raise ValueError(
                f"Received: {path}, whose line {number} has {len(line)} cells. Expected: {len(heading)}."
            )
        name = line[place].strip()
        if name in rows:
            raise ValueError(
                f"Received: {path}, which names {escaped(name)} twice. Expected: a line for each sample."
            )
        rows[name] = dict(zip(heading, (cell.strip() for cell in line), strict=True))
    return Table(path, tuple(heading), rows)


def check_groups(by: Sequence[str], table: Path | None) -> None:
    """Refuse columns that neither the samples nor the table have.

    Raises:
        ValueError: names the column.
    """
    if table is not None:
        if not by:
            raise ValueError(f"Received: by_table={table} without by. Expected: both flags.")
        read_table(table, by)
        return
    for column in by:
        if column not in OWN:
            raise ValueError(
                f"Received: by={column}.{did_you_mean(column, OWN)} Expected one of: {', '.join(OWN)}; or by_table, a "
                ".csv file with that column."
            )


def looks(
    picture: np.ndarray,
    truth: np.ndarray,
    target: str,
    class_names: Sequence[str] = (),
    ignore_index: int | None = None,
) -> dict[str, Any]:
    """Return a sample's values of the columns in `OWN` that it has.

    Args:
        picture: the input, any shape.
        truth: its target.
        target: "label", "mask" or "values".
        class_names: of labels; their numbers if there are none.
        ignore_index: class number of pixels in masks that do not count.
    """
    numbers = np.asarray(picture, np.float64)
    found: dict[str, Any] = {
        "intensity": round(float(numbers.mean()), 6),
        "contrast": round(float(numbers.std()), 6),
    }
    if target == "label":
        label = int(truth)
        found["class"] = class_names[label] if label < len(class_names) else label
    elif target == "mask":
        counted = truth != ignore_index if ignore_index is not None else np.ones_like(truth, bool)
        found["size"] = round(float((counted & (truth > 0)).sum() / max(1, counted.sum())), 6)
    return found


def values_of(column: str, rows: Sequence[Mapping[str, Any]], table: Table | None) -> list[Any]:
    """Return a column's value of each sample: of the table, or else what it looks like.

    Raises:
        ValueError: the table names none of the samples.
    """
    if table is None or column not in table.columns:
        return [row["_looks"].get(column) for row in rows]
    cells = [table.cell(column, str(row["name"]), int(row["index"])) for row in rows]
    if not any(cells):
        example = escaped(str(rows[0]["name"]))
        raise ValueError(
            f"Received: {table.path}, which has no {column} of any of the {len(rows)} samples. Expected: lines that "
            f"name them, as {example}."
        )
    return cells


def grouped(
    values: Sequence[Any], rows: Sequence[Mapping[str, Any]], metrics: Sequence[str]
) -> list[dict[str, Any]]:
    """Return a line for each group, with its samples and the means of the metrics, in the order of the groups.

    Args:
        values: what each sample is grouped by: texts, or numbers, of which many are cut into bins of as many samples.
        rows: the metrics of each sample, by name.
        metrics: names of the metrics.

    Raises:
        ValueError: there are too many groups to be of use.
    """
    names = group_names(values)
    order = list(dict.fromkeys(sorted(names)))
    if len(order) > MOST_GROUPS:
        raise ValueError(
            f"Received: {len(order)} groups for {len(rows)} samples. Expected: at most {MOST_GROUPS}."
        )
    found = []
    for group in order:
        members = [row for row, name in zip(rows, names, strict=True) if name == group]
        line: dict[str, Any] = {"group": group[1], "samples": len(members)}
        for metric in metrics:
            numbers = [row[metric] for row in members if metric in row]
            if numbers:
                line[metric] = round(statistics.fmean(numbers), 6)
        found.append(line)
    return found


Group = tuple[float, str]
"""Where a group stands among the others, and its name."""


def group_names(values: Sequence[Any]) -> list[Group]:
    """Return the group of each value: the value itself, or the bin of a number. Cells without a value are unknown."""
    numbers = [_number(value) for value in values]
    filled = [value for value in values if not _is_missing(value)]
    known = [number for number in numbers if number is not None]
    if not known or len(known) < len(filled):  # texts
        unknown = (math.inf, UNKNOWN)
        return [unknown if _is_missing(value) else (0.0, str(value)) for value in values]
    if len(set(known)) <= MOST_VALUES:
        return [(math.inf, UNKNOWN) if n is None else (n, f"{n:g}") for n in numbers]
    edges = _edges(sorted(known))
    return [(math.inf, UNKNOWN) if n is None else _bin(n, edges) for n in numbers]


def _edges(ordered: Sequence[float]) -> list[float]:
    """Return the upper edges of bins with equally many values; equal values are in one bin."""
    ends = [ordered[max(0, round(len(ordered) * (k + 1) / BINS) - 1)] for k in range(BINS)]
    return [ordered[0], *dict.fromkeys(ends)]


def _bin(number: float, edges: Sequence[float]) -> Group:
    low = edges[0]
    for high in edges[1:]:
        if number <= high:
            return low, f"{low:.4g} to {high:.4g}"
        low = high
    return edges[-1], f"{edges[-1]:.4g}"


def _is_missing(value: Any) -> bool:
    return value is None or str(value).strip().lower() in _MISSING


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
