"""A table with a column a parameter: its rows as settings. Cells are read as YAML reads plain scalars.

    # command: python train.py {flags}
    learning_rate,width
    1e-3,16
    3e-4,32

Lines `# key: value` above the header are keys of the spec; an empty cell is a parameter that is not given.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from ddl.experiments.spec.text.item import Item, MisfitError, Place, Problems
from ddl.experiments.spec.text.reading import MOST_TABLE_BYTES, parse_document, read_text
from ddl.experiments.spec.text.scalars import read_scalar

_KEY_LINE = re.compile(r"#\s*([A-Za-z_]+:(?:\s.*)?)")
_DELIMITERS = (",", ";", "\t")
_MOST_CELL = 100_000


def read_table(path: Path) -> tuple[Item, Item]:
    """Return the keys above the header, and the rows: a list of mappings of column to value.

    Raises:
        SpecError: the file cannot be read, or rows do not fit their header.
    """
    text = read_text(path, MOST_TABLE_BYTES)
    head, body, first_line = _split(text)
    keys = parse_document(head, path)
    problems = Problems()
    try:
        rows = _rows(body, str(path), first_line, problems)
    except MisfitError as error:
        problems.add(error)
    problems.raise_any()
    return keys, rows


def read_head(path: Path) -> Item:
    """Return the keys above the header alone.

    Raises:
        SpecError: the file cannot be read, or the keys cannot.
    """
    return parse_document(_split(read_text(path, MOST_TABLE_BYTES))[0], path)


def _split(text: str) -> tuple[str, str, int]:
    """Return the keys above the header as YAML in their own lines, the rest, and the number of its first line."""
    lines = text.split("\n")
    count = 0
    while count < len(lines) and (lines[count].startswith("#") or not lines[count].strip()):
        count += 1
    found = [_KEY_LINE.match(line) for line in lines[:count]]
    head = "\n".join(key[1] if key else "" for key in found)
    return head, "\n".join(lines[count:]), count + 1


def _rows(body: str, file: str, first_line: int, problems: Problems) -> Item:
    top = Place(file, first_line, 1)
    header_line = body.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header_line.count)
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, strict=True)
    csv.field_size_limit(_MOST_CELL)
    rows: list[Item] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header, top)
        line = first_line + reader.line_num
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(_row(header, cells, Place(file, line, 1), problems))
            line = first_line + reader.line_num
    except csv.Error as error:
        place = Place(file, first_line + max(reader.line_num - 1, 0), 1)
        raise MisfitError(
            place,
            f"Received: a row that is no CSV ({error}). Expected: text in double quotes closed.",
        ) from None
    if not rows:
        raise MisfitError(
            top, "Received: a table without rows. Expected: a header and a row an experiment."
        )
    return Item(rows, top)


def _check_header(header: list[str], place: Place) -> None:
    if not any(header):
        raise MisfitError(
            place,
            "Received: no header. Expected: names of parameters, such as learning_rate,width.",
        )
    for number, name in enumerate(header):
        if not name:
            raise MisfitError(
                place,
                f"Received: column {number + 1} without a name. Expected: a parameter's name.",
            )
        if name in header[:number]:
            raise MisfitError(place, f"Received: column {name!r} twice. Expected: once.")


def _row(header: list[str], cells: list[str], place: Place, problems: Problems) -> Item:
    if len(cells) != len(header):
        problems.add(
            f"{place}: Received: {len(cells)} cells. Expected: {len(header)}, as the header has."
        )
        return Item({}, place)
    values = {}
    for number, (name, cell) in enumerate(zip(header, cells, strict=True)):
        where = Place(place.file, place.line, number + 1)
        try:
            value = read_scalar(cell.strip())
        except ValueError as error:
            problems.add(f"{where}: {error}")
            continue
        if value is not None:
            values[name] = Item(value, where)
    return Item(values, place)
