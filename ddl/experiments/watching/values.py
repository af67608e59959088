"""Numbers of rows: from JSON values and texts, and back to JSON, which has no NaN and no infinity."""

from __future__ import annotations

import math
import re
from typing import Any, Dict, Iterator, Mapping, Tuple, Union

Number = Union[int, float]
Row = Dict[str, Any]
Key = Tuple[str, Number]

EPOCH, STEP, COUNTED = "epoch", "step", "row"
AXES = (EPOCH, STEP, COUNTED)
"""What rows are known by, the first that they have. Rows without epoch and step are counted: row 1, 2, 3."""

RESERVED = ("time", "attempt")
"""Keys of rows that are ours, too: when a row was seen first, and the attempt that it came from."""

LONGEST_NAME = 100
DEEPEST = 4
_MOST_DIGITS = 400
_A_DATE_S = 1e9  # a number of seconds above is a date, after 2001; below it is a duration
_EXACT = 2**53
_SPECIAL = frozenset(("time", "attempt", "row", "Epoch", "EPOCH", "Step", "STEP", ""))
_NOT_FINITE = {
    "nan": math.nan,
    "inf": math.inf,
    "infinity": math.inf,
    "-inf": -math.inf,
    "-infinity": -math.inf,
    "+inf": math.inf,
    "+infinity": math.inf,
}
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,6})?")
_WHOLE = re.compile(r"[-+]?[0-9]{1,15}")


def number_of(value: Any) -> Number | None:
    """Return the number that a JSON value or a text means, None if it means none.

    True and false are 1 and 0. A percent sign is passed over.
    """
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value if abs(value) <= _EXACT else _as_float(value)
    if isinstance(value, float):
        return value
    return _of_text(value) if isinstance(value, str) else None


def _of_text(text: str) -> Number | None:
    text = text.strip()
    if text.endswith("%"):
        text = text[:-1].rstrip()
    if len(text) > _MOST_DIGITS:
        return None
    if text.lower() in _NOT_FINITE:
        return _NOT_FINITE[text.lower()]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else None


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def row_of(values: Mapping[str, Any], now: float) -> Row:
    """Return the numbers of a mapping as a row; inner mappings become names with dots.

    A `time` that is a date is when the row was made; else that is `now`. Another `time`, `attempt` and `row` get an
    underscore, since these names are ours. Epoch and Step are epoch and step.
    """
    row: Row = {"time": now}
    for name, value in values.items():
        if type(value) in (int, float) and name not in _SPECIAL and abs(value) <= _EXACT:
            if len(name) <= LONGEST_NAME:  # nearly all values, so it has to be fast
                row[name] = value
        elif isinstance(value, dict):
            for inner, deep in _flat(value, f"{name}.", 1):
                _put(row, inner, deep, now)
        else:
            _put(row, name, value, now)
    return row


def _put(row: Row, name: str, value: Any, now: float) -> None:
    """Put a value into a row by the name that it may have, if it is a number."""
    number = number_of(value)
    if number is None or not 0 < len(name) <= LONGEST_NAME:
        return
    if name == "time" and _A_DATE_S < number <= now + 60:
        row["time"] = number
    elif name.lower() in (EPOCH, STEP):
        if math.isfinite(number):
            row[name.lower()] = number
    else:
        row[f"{name}_" if name in (*RESERVED, COUNTED) else name] = number


def _flat(values: Mapping[str, Any], before: str, depth: int) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            if depth < DEEPEST:
                yield from _flat(value, f"{before}{name}.", depth + 1)
        else:
            yield f"{before}{name}", value


def key_of(row: Mapping[str, Any]) -> Key | None:
    """Return what a row is known by: its epoch, else its step, else its count, else None."""
    for axis in AXES:
        if axis in row:
            return axis, row[axis]
    return None


def names_of(row: Mapping[str, Any]) -> Iterator[str]:
    """Return the variables of a row, without when and where it came from."""
    return (name for name in row if name not in (*RESERVED, COUNTED))


def to_json(row: Mapping[str, Any]) -> Row:
    """Return a row for JSON: NaN and infinities as the texts "NaN", "Infinity", "-Infinity"."""
    return {name: json_number(value) for name, value in row.items()}


def json_number(value: Any) -> Any:
    """Return a value for JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def from_json(row: Mapping[str, Any]) -> Row:
    """Return the row that `to_json` gave; what is no number is left out."""
    numbers: Row = {}
    for name, value in row.items():
        number = value if type(value) in (int, float) else number_of(value)
        if number is not None:
            numbers[name] = number
    return numbers
