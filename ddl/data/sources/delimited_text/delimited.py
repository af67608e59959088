r"""Rows of numbers in a text file, a sample a line: inputs, then a label, then a flag for validation.

    source = open_source("digits.csv", split="train", shape=(28, 28))

Values stay as they are, float32. The file is read twice: once when it is opened, which checks every value and keeps
where each row begins (4 to 8 bytes a row), and then the rows that are asked for. It is never in memory as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.description import describe_form
from ddl.data.source import Field, Source, Subset, checked_indices
from ddl.data.sources.delimited_text.columns import channels_last, sample_shape
from ddl.data.sources.delimited_text.line_format import LineFormat
from ddl.data.sources.delimited_text.row_index import (
    Request,
    RowIndex,
    read_index,
    read_rows,
)
from ddl.files import check_regular
from ddl.options import read_signature
from ddl.ranges import check_choice

SUFFIXES = (".csv", ".tsv", ".txt")
_SPLITS = ("train", "validation")
_TOGETHER = 4 << 20  # bytes of values that are read at once


def detect(path: Path) -> bool:
    """Return whether it is a file whose name ends as text does."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def splits(path: Path, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return "train" and "validation" where a row is flagged for validation. Reads the file."""
    own = {name: value for name, value in options.items() if name in _OF_ROWS}
    index = read_index(path, request_of(path, **own))
    return _SPLITS if index.flagged.any() else ()


def request_of(
    path: Path,
    *,
    delimiter: str | None = None,
    label: str = "auto",
    flag: str = "last",
    target: tuple[str, ...] | None = None,
    header: bool = False,
) -> Request:
    """Return how a file is read. The delimiter of .tsv files is a tab, that of others a comma."""
    if delimiter is None:
        delimiter = r"\t" if path.suffix.lower() == ".tsv" else ","
    named = None if target is None else tuple(target)
    return Request(LineFormat(delimiter), header, label, flag, named)


_OF_ROWS = tuple(read_signature(request_of))


def open_source(
    path: Path,
    *,
    split: str | None = None,
    delimiter: str | None = None,
    shape: tuple[int, ...] | None = None,
    label: str = "auto",
    flag: str = "last",
    target: tuple[str, ...] | None = None,
    header: bool = False,
) -> Source:
    r"""Open the rows of a file.

    Args:
        path: the file.
        split: "train" or "validation", by the flag; None takes all rows.
        delimiter: one character, or a regular expression such as \s+; by default a comma, and a tab in .tsv files.
        shape: shape of an input as the file has it, channels first: C,H,W or H,W; by default all values are one axis.
        label: column of the class, by number from 1 or name; "auto": the one before the flag; "none".
        flag: column of the flag for validation, 0 or 1; "last"; "none".
        target: columns of values to predict, in place of a label.
        header: whether the first line has the names of columns.
    """
    check_regular(path)
    if path.is_dir():
        raise ValueError(f"Received: {path}, which is a folder. Expected: a text file of rows.")
    if split is not None:
        check_choice("split", split, _SPLITS)
    request = request_of(
        path, delimiter=delimiter, label=label, flag=flag, target=target, header=header
    )
    index = read_index(path, request)
    rows = Rows(path, index, request.lines, index.columns.shape(shape, str(path)))
    return rows if split is None else _split(rows, index, split)


class Rows(Source):
    """The rows of a file, read when they are asked for."""

    def __init__(
        self, path: Path, index: RowIndex, lines: LineFormat, shape: tuple[int, ...]
    ) -> None:
        self._path, self._index, self._lines, self._shape = path, index, lines, shape
        columns = index.columns
        self._inputs = _slice(columns.inputs)
        self.fields = {"image": Field(sample_shape(shape), np.dtype(np.float32))}
        if columns.targets:
            self.fields["values"] = Field((len(columns.targets),), np.dtype(np.float32))
        elif columns.label is not None:
            self.fields["label"] = Field((), np.dtype(np.int64))

    def __len__(self) -> int:
        return len(self._index)

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        wanted = checked_indices(indices, len(self))
        columns = self._index.columns
        images = np.empty((len(wanted), *self.fields["image"].shape), np.float32)
        targets = np.empty((len(wanted), len(columns.targets)), np.float32)
        step = max(1, _TOGETHER // (8 * columns.count))
        for start in range(0, len(wanted), step):
            here = slice(start, start + step)
            values = read_rows(self._path, self._index, self._lines, wanted[here])
            images[here] = channels_last(values[:, self._inputs], self._shape)
            if columns.targets:
                targets[here] = values[:, list(columns.targets)]
        batch = {"image": images}
        if "values" in self.fields:
            batch["values"] = targets
        elif "label" in self.fields:
            batch["label"] = self._index.labels[wanted].astype(np.int64)
        return batch

    def read_column(self, name: str) -> np.ndarray | None:
        return self._index.labels if name == "label" and "label" in self.fields else None

    def name_of(self, index: int) -> str:
        return f"{self._path.name} line {self._index.line_of(index)}"

    def describe(self) -> str:
        """Return what the rows were taken for: "1100 rows of 28x28 grey, float32; label in column 785, ..."."""
        index = self._index
        shape = self.fields["image"].shape
        form = f"{shape[0]} values" if len(shape) == 1 else describe_form(shape, np.dtype(np.uint8))
        flagged = ""
        if len(index.flagged):
            flagged = f" ({int(index.flagged.sum())} of {len(index)} rows)"
        classes = ""
        if "label" in self.fields:
            classes = f", labels {int(index.labels.min())} to {int(index.labels.max())}"
        return f"{len(index)} rows of {form}, as they are; {index.columns.told()}{flagged}{classes}"


def _split(rows: Rows, index: RowIndex, split: str) -> Source:
    """Return the rows of a split."""
    if not len(index.flagged):
        if split == "train":
            return rows
        raise ValueError(
            f"Received: split={split} of rows without a flag for validation (flag=none). Expected: no split."
        )
    chosen = np.flatnonzero(index.flagged == (split == "validation"))
    if not len(chosen):
        flag = int(split == "validation")
        raise ValueError(
            f"Received: {rows.name_of(0).partition(' line ')[0]} without a row for {split} (flag {flag} in column "
            f"{(index.columns.flag or 0) + 1}). Expected: at least one; flag=none for rows without a flag."
        )
    return Subset(rows, chosen)


def _slice(columns: Sequence[int]) -> slice | list[int]:
    """Return columns as a slice where they are neighbours, which copies nothing."""
    if list(columns) == list(range(columns[0], columns[-1] + 1)):
        return slice(columns[0], columns[-1] + 1)
    return list(columns)
