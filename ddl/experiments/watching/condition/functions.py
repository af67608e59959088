"""The values in a rule's text: numbers with units, variables, and functions of variables."""

from __future__ import annotations

import difflib

from ddl.experiments.watching.condition.directions import direction_of
from ddl.experiments.watching.condition.tokens import NAME, NUMBER, QUOTED, Cursor
from ddl.experiments.watching.condition.tree import (
    LARGE,
    SMALL,
    Constant,
    Node,
    OfGroup,
    Statistic,
    Variable,
)

STATISTICS = ("best", "worst", "last", "mean", "median", "slope", "max", "min", "finite")
OF_ROWS = ("mean", "median", "slope", "max", "min")
OF_GROUPS = ("mean", "median", "max", "min")
SECONDS_OF = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
}
KEYWORDS = frozenset(("and", "or", "not", "after", "for", "in", "no", "group"))
MOST_ROWS = 1_000_000
LARGEST = 1e300


def number(cursor: Cursor) -> float:
    """Take a number without its unit."""
    token = cursor.take()
    if token.value > LARGEST:
        cursor.fail(f"a number up to {LARGEST:g}", token.at)
    return token.value


def read_value(cursor: Cursor) -> Node:
    """Read a number, a variable or a function.

    Raises:
        Problem: there is none.
    """
    token = cursor.peek()
    if token.kind == NUMBER:
        return _constant(cursor)
    if token.kind == NAME and cursor.sees("(", ahead=1):
        return _function(cursor)
    return Variable(read_variable(cursor))


def _constant(cursor: Cursor) -> Node:
    value = number(cursor)
    if cursor.takes("%"):
        return Constant(value / 100)
    unit = cursor.peek()
    if unit.kind == NAME and unit.text in SECONDS_OF and not cursor.sees("(", ahead=1):
        cursor.take()
        return Constant(value * SECONDS_OF[unit.text])
    return Constant(value)


def read_variable(cursor: Cursor) -> str:
    """Read the name of a variable, in quotes or a plain word.

    Raises:
        Problem: there is none, or it is a word of the rules' own.
    """
    token = cursor.peek()
    if token.kind != QUOTED and (token.kind != NAME or token.text in KEYWORDS):
        word = token.text if token.kind == NAME else "train/loss"
        cursor.fail(
            f'a variable, a number or a function; a variable called {word} is written "{word}"'
        )
    return cursor.take().text


def wants_of(cursor: Cursor, kind: str, name: str, at: int) -> str:
    """Return which values of a variable `best` or `worst` means."""
    direction = direction_of(name)
    if not direction:
        cursor.fail(
            f"max({name}) or min({name}), since its name does not say whether large or small values are good",
            at,
        )
    if kind == "best":
        return direction
    return LARGE if direction == SMALL else SMALL


def _function(cursor: Cursor) -> Node:
    token = cursor.take()
    kind, at = token.text, token.at
    if kind not in STATISTICS:
        near = difflib.get_close_matches(kind, STATISTICS, 1)
        cursor.fail(f"{near[0]}(" if near else f"a function: {', '.join(STATISTICS)} or abs", at)
    cursor.take()
    if cursor.sees("group") and cursor.sees(",", ahead=1):
        return _of_group(cursor, kind)
    name = read_variable(cursor)
    rows = _rows(cursor, kind)
    cursor.want(
        ")", f") after the variable; {kind} is computed of a variable, not of an expression"
    )
    wants = wants_of(cursor, kind, name, at) if kind in ("best", "worst") else ""
    return Statistic(kind, name, rows, wants)


def _of_group(cursor: Cursor, kind: str) -> Node:
    if kind not in OF_GROUPS:
        cursor.fail(f"{', '.join(OF_GROUPS)} of a group")
    cursor.take()
    cursor.take()
    name = read_variable(cursor)
    cursor.want(")", ") after the variable")
    return OfGroup(kind, name)


def _rows(cursor: Cursor, kind: str) -> int | None:
    if not cursor.sees(","):
        return None
    if kind not in OF_ROWS:
        cursor.fail(f") after the variable; only {', '.join(OF_ROWS)} take a number of values")
    cursor.take()
    token = cursor.peek()
    least = 2 if kind == "slope" else 1
    if (
        token.kind != NUMBER
        or token.value != int(min(token.value, MOST_ROWS))
        or token.value < least
    ):
        cursor.fail(f"a whole number of values, from {least} to {MOST_ROWS}")
    return int(cursor.take().value)
