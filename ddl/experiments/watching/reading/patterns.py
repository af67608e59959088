"""Patterns of lines: what a user writes into `pattern:`, and the numbers that a line gives by it.

    {name} {value}                 lines of nothing but pairs: "loss 0.31", or "epoch 3, loss 0.31"
    * {name}: {value} *            pairs anywhere: "32/32 - 1s - loss: 0.31 - val_loss: 0.4"
    [{step}] {name}:{value}        a start, then pairs: "[7]  train-rmse:0.5  eval-rmse:0.6"
    epoch {epoch}/* loss {loss}    named places; * is any text
    re: loss=(?P<loss>[0-9.]+)     a regular expression, found anywhere in the line

A blank means one or more blanks. `{{` and `}}` are braces, `**` is a star. Of several patterns, one a line, the first
one that fits reads a line.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, Iterator

from ddl.experiments.watching.reading.slow_patterns import check_regex
from ddl.experiments.watching.values import LONGEST_NAME

LONGEST_PATTERN = 500
MOST_PATTERNS = 8
LONGEST_LINE = 2000
"""Characters of a line that a pattern sees; what follows is left out."""

REGEX = "re:"

LineReader = Callable[[str], Dict[str, Any]]
"""A line -> name -> text of a number; empty if the pattern does not fit."""

_EXAMPLE = "{name} {value}"
_CHARACTERS = {0: LONGEST_LINE, 1: LONGEST_LINE, 2: LONGEST_LINE, 3: 600, 4: 300}
"""Stars of a pattern -> characters of a line that it sees: each star more multiplies the ways to divide a line."""

_NUMBER = r"[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?|(?i:nan|inf(?:inity)?))"
_VALUE = rf"['\"]?({_NUMBER})['\"]?(?!\w|\.\w)%?"
_NAME = rf"(?<![\w./@-])([^\W\d][\w./@-]{{0,{LONGEST_NAME - 1}}})"
_OF_TOTAL = r"(?:/[0-9]+(?![\w.]))?"
_BETWEEN = re.compile(r"[\s,;|]*(?:-\s+)?")
_TOKEN = re.compile(r"\{\{|\}\}|\*\*|\*|\{[^{}]*\}|\s+|[^{}*\s]+|[{}]")
_PLACE = re.compile(r"\{([^\W\d][\w./@-]{0,99})\}")
_AUTO = re.compile(rf"{_NAME}(?:\s*[=:]\s*|\s+){_VALUE}{_OF_TOTAL}")


def read_pairs(line: str) -> dict[str, Any]:
    """Return the pairs of a line that holds nothing else: "loss 0.31", "epoch=3, loss=0.31", "Epoch 3/10"."""
    return _only_pairs(_AUTO, _cut(line), 0)


def compile_pattern(text: str) -> LineReader:
    """Return the function that reads lines by a pattern.

    Raises:
        ValueError: the pattern means nothing, or could take very long.
    """
    if not isinstance(text, str) or not 0 < len(text.strip()) <= LONGEST_PATTERN:
        raise _wrong(text, f"a text of 1 to {LONGEST_PATTERN} characters, such as {_EXAMPLE}")
    readers = [_compiled(line.strip()) for line in text.strip().splitlines() if line.strip()]
    if len(readers) > MOST_PATTERNS:
        raise _wrong(text.split("\n", 1)[0], f"at most {MOST_PATTERNS} patterns")
    return readers[0] if len(readers) == 1 else lambda line: _first(readers, line)


def _first(readers: list[LineReader], line: str) -> dict[str, Any]:
    return next((values for read in readers if (values := read(line))), {})


def _compiled(text: str) -> LineReader:
    """Return the function that reads lines by one pattern."""
    if text.startswith(REGEX):
        return _by_regex(text[len(REGEX) :].strip())
    tokens = _TOKEN.findall(text)
    if tokens.count("*") not in _CHARACTERS:
        raise _wrong(text, f"at most {max(_CHARACTERS)} stars")
    if "{name}" in tokens or "{value}" in tokens:
        return _by_pairs(text, tokens)
    names = _places(text, tokens)
    if not names:
        raise _wrong(text, f"a place such as {{loss}} in it, or {_EXAMPLE}")
    regex = re.compile(_translated(tokens))
    characters = _CHARACTERS[tokens.count("*")]

    def read(line: str) -> dict[str, Any]:
        found = regex.fullmatch(line.strip()[:characters])
        return dict(zip(names, found.groups())) if found else {}

    return read


def _wrong(text: object, expected: str) -> ValueError:
    shown = str(text) if len(str(text)) <= 100 else f"{str(text)[:100]}..."
    return ValueError(f"Received: pattern {shown}. Expected: {expected}.")


def _cut(line: str) -> str:
    return line.strip()[:LONGEST_LINE]


def _places(text: str, tokens: list[str]) -> list[str]:
    """Return the names of the places, in order."""
    names: list[str] = []
    for token in tokens:
        if token[0] not in "{}" or token in ("{{", "}}"):
            continue
        place = _PLACE.fullmatch(token)
        if not place:
            raise _wrong(
                text,
                "a name in each pair of braces, such as {loss}; {{ and }} for braces themselves",
            )
        if place[1] in names:
            raise _wrong(text, f"{{{place[1]}}} once")
        names.append(place[1])
    return names


def _translated(tokens: list[str]) -> str:
    """Return the regular expression of a pattern. A blank beside a star may also be the line's start or end."""
    parts = []
    for number, token in enumerate(tokens):
        beside = tokens[max(number - 1, 0) : number + 2]
        if token == "*":
            parts.append(".*?")
        elif token.isspace():
            parts.append(r"(?:^|$|\s+)" if "*" in beside else r"\s+")
        elif token in ("{{", "}}", "**"):
            parts.append(re.escape(token[0]))
        else:
            parts.append(_VALUE if token[0] == "{" else re.escape(token))
    return "".join(parts)


def _by_pairs(text: str, tokens: list[str]) -> LineReader:
    """Read pairs of name and value, after a start with named places or without."""
    if tokens.count("{name}") != 1 or tokens.count("{value}") != 1:
        raise _wrong(text, "{name} and {value} once each")
    first, last = tokens.index("{name}"), tokens.index("{value}")
    between = tokens[first + 1 : last]
    if first > last or not between or any(token[0] in "{*" for token in between):
        raise _wrong(text, "{name}, some characters, {value}, as in {name}: {value}")
    begin, end = _attached(tokens, first, -1), _attached(tokens, last, 1)
    before, after = tokens[:begin], [token for token in tokens[end + 1 :] if not token.isspace()]
    if after not in ([], ["*"]):
        raise _wrong(text, "nothing or * after {value}")
    pair = re.compile(
        _translated(tokens[begin:first])
        + _NAME
        + _translated(between)
        + _VALUE
        + _translated(tokens[last + 1 : end + 1])
    )
    while before and before[-1].isspace():
        before.pop()
    is_anywhere = bool(after) or before[-1:] == ["*"]
    if before == ["*"]:
        before = []
    names = _places(text, before)
    start = re.compile(_translated(before))
    characters = _CHARACTERS[tokens.count("*")]

    def read(line: str) -> dict[str, Any]:
        line = line.strip()[:characters]
        found = start.match(line)
        if not found:
            return {}
        read_rest = _all_pairs if is_anywhere else _only_pairs
        pairs = read_rest(pair, line, found.end())
        return {**dict(zip(names, found.groups())), **pairs} if pairs else {}

    return read


def _attached(tokens: list[str], at: int, step: int) -> int:
    """Return the last token in a direction that stands beside the one at `at` without a blank, a star or a place."""
    while 0 <= at + step < len(tokens) and not re.match(r"\s|\*$|\{[^{]|\}$", tokens[at + step]):
        at += step
    return at


def _all_pairs(pair: re.Pattern[str], line: str, at: int) -> dict[str, Any]:
    return {found[1]: found[2] for found in pair.finditer(line, at)}


def _only_pairs(pair: re.Pattern[str], line: str, at: int) -> dict[str, Any]:
    """Return the pairs of a line that holds nothing else from a place on, {} if it does."""
    pairs: dict[str, Any] = {}
    at = _past_blank(line, at)
    while at < len(line):
        found = pair.match(line, at)
        if found is None:
            return {}
        pairs[found[1]] = found[2]
        at = _past_blank(line, found.end())
        if at == found.end() < len(line):  # two pairs without anything between them
            return {}
    return pairs


def _past_blank(line: str, at: int) -> int:
    found = _BETWEEN.match(line, at)
    return found.end() if found else at


def _by_regex(text: str) -> LineReader:
    """Read lines by a regular expression with named groups; `name` and `value` together mean pairs."""
    safe = check_regex(text)
    regex = safe.regex
    groups = set(regex.groupindex)
    if not groups:
        raise _wrong(text, "a named group such as (?P<loss>[0-9.]+)")
    if len({"name", "value"} & groups) == 1:
        raise _wrong(text, "both (?P<name>...) and (?P<value>...), or neither")
    places = groups - {"name", "value"}

    def read(line: str) -> dict[str, Any]:
        return dict(_items(regex, places, line.strip()[: safe.characters]))

    return read


def _items(regex: re.Pattern[str], places: set[str], line: str) -> Iterator[tuple[str, Any]]:
    for found in regex.finditer(line):
        yield from ((name, found[name]) for name in places if found[name] is not None)
        if len(places) == len(regex.groupindex):
            return
        if found["name"] and found["value"]:
            yield found["name"], found["value"]
