"""Refuses regular expressions that could take very long on some line, by their text alone.

Python's expressions try all ways to divide a line among their repeats. A repeat of repeats has exponentially many ways;
repeats that can take the same characters have as many as the line's length to the power of their number.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

CHARACTERS = {0: 2000, 1: 2000, 2: 1000, 3: 200}
"""Vague repeats of an expression -> characters of a line that it sees. More vague repeats are refused."""

MOST_REPEATS = 24

_LONGEST_SHOWN = 100
_SHORT_REPEAT = 1
_NO_CHARACTER = ("^", "$", r"\b", r"\B", r"\A", r"\Z")
_ATOM = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?:\?(?:P<\w+>|[:=!]|<[=!]|[aiLmsux-]+[:)]|#[^)]*\)))?|.",
    re.DOTALL,
)
_REPEAT = re.compile(r"(?:\*|\+|\?|\{(\d*)(,?)(\d*)\})[?+]?")
_SAMPLES = "".join(map(chr, range(32, 127))) + "\t\u00e9\u4e2d"


@dataclass(frozen=True)
class SafeRegex:
    """An expression that cannot take long on the first `characters` of a line."""

    regex: re.Pattern[str]
    characters: int


def check_regex(text: str) -> SafeRegex:
    """Return the compiled expression, and how much of a line it may see.

    Raises:
        ValueError: it cannot be read, or could take for ever, as (a+)+ does.
    """
    shown = text[:_LONGEST_SHOWN]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            regex = re.compile(text)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise ValueError(
            f"Received: pattern re: {shown}: {error}. Expected: a regular expression."
        ) from None
    try:
        return SafeRegex(regex, CHARACTERS[_vague_repeats(text)])
    except _TooSlow as reason:
        raise ValueError(
            f"Received: pattern re: {shown}: {reason}, so it could take very long. "
            "Expected: a simpler one, or places and stars, such as * loss {loss} *."
        ) from None


class _TooSlow(Exception):
    """Why an expression could take very long."""


@dataclass(frozen=True)
class _Part:
    """One atom of an expression: a character, a class or a bracket, and how often it may come."""

    atom: str
    least: int
    most: float


def _vague_repeats(text: str) -> int:
    """Return how many repeats could give characters to what follows them."""
    if re.search(r"\\[1-9]|\(\?P=|\(\?\(", text):
        raise _TooSlow("it refers back to a group")
    parts = _parts(text)
    _check_groups(parts)
    repeats = [number for number, part in enumerate(parts) if part.most > _SHORT_REPEAT]
    if len(repeats) > MOST_REPEATS:
        raise _TooSlow(f"it has more than {MOST_REPEATS} repeats")
    vague = sum(_is_vague(parts, number) for number in repeats)
    if vague not in CHARACTERS:
        raise _TooSlow(
            f"more than {max(CHARACTERS)} of its repeats can take what the next one takes"
        )
    return vague


def _parts(text: str) -> list[_Part]:
    parts, at = [], 0
    while at < len(text):
        found = _ATOM.match(text, at)
        atom = found[0] if found else text[at]
        at += len(atom)
        repeat = None if atom[0] == "(" else _REPEAT.match(text, at)
        least, most = 1, 1.0
        if repeat:
            at = repeat.end()
            least, most = _bounds(repeat)
        parts.append(_Part(atom, least, most))
    return parts


def _bounds(repeat: re.Match[str]) -> tuple[int, float]:
    sign = repeat[0][0]
    if sign != "{":
        return int(sign == "+"), 1.0 if sign == "?" else float("inf")
    least = int(repeat[1] or 0)
    if not repeat[2]:
        return least, float(least)
    return least, float(repeat[3]) if repeat[3] else float("inf")


def _check_groups(parts: list[_Part]) -> None:
    """Refuse a repeat of a group that holds a repeat or a choice."""
    groups = [False]
    for part in parts:
        if part.atom[0] == "(" and not part.atom.endswith(")"):
            groups.append(False)
        elif part.atom == "|":
            groups[-1] = True
        elif part.atom == ")" and len(groups) > 1:
            is_risky = groups.pop()
            if is_risky and part.most > _SHORT_REPEAT:
                raise _TooSlow("it repeats a group that holds a repeat or a choice")
            groups[-1] |= is_risky or part.most > _SHORT_REPEAT
        elif part.most > _SHORT_REPEAT:
            groups[-1] = True


def _is_vague(parts: list[_Part], number: int) -> bool:
    """Return whether a repeat can take characters that what follows it could take as well."""
    part = parts[number]
    for other in parts[number + 1 :]:
        if other.atom[0] == "(" or other.atom in _NO_CHARACTER:
            continue
        if other.atom == ")" and other.most == other.least == 1:
            continue
        return other.least == 0 or other.atom in ")|" or _overlap(part.atom, other.atom)
    return False  # nothing follows that could fail


def _overlap(left: str, right: str) -> bool:
    if left == ")":
        return True
    try:
        first, second = re.compile(left, re.IGNORECASE), re.compile(right, re.IGNORECASE)
    except re.error:
        return True
    return any(first.fullmatch(sign) and second.fullmatch(sign) for sign in _SAMPLES)
