"""Refuses regular expressions that could take very long on some line, by their text alone."""

from __future__ import annotations

import re
import warnings

MOST_WIDE = 3
"""Repeats of any character: each one more multiplies the time on a line that does not fit by its length."""

MOST_REPEATS = 24

_ATOM = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?:\?(?:P<\w+>|P=\w+\)|[:=!]|<[=!]|[aiLmsux-]+[:)]|#[^)]*\))?)?|.",
    re.DOTALL,
)
_REPEAT = re.compile(r"(\*|\+|\?|\{(\d*)(,?)(\d*)\})[?+]?")
_WIDE = re.compile(r"\.|\\[SDW]|\[\^.*", re.DOTALL)


def check_regex(text: str) -> re.Pattern[str]:
    """Return the compiled expression.

    Raises:
        ValueError: it cannot be read, or it repeats what repeats, which can take for ever: (a+)+.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            regex = re.compile(text)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise ValueError(
            f"Received: pattern re: {text[:100]}: {error}. Expected: a regular expression."
        ) from None
    reason = _danger(text)
    if reason:
        raise ValueError(
            f"Received: pattern re: {text[:100]}: {reason}. "
            "Expected: one that cannot take long on any line, or a pattern with * and {name} in place of it."
        )
    return regex


def _danger(text: str) -> str:
    """Return why an expression could take long, "" if it could not."""
    if re.search(r"\\[1-9]|\(\?P=|\(\?\(", text):
        return "it refers back to a group"
    groups = [False]  # whether the group at hand holds a repeat or a choice
    wide = repeats = at = 0
    while at < len(text):
        found = _ATOM.match(text, at)
        atom = found[0] if found else text[at]
        at += len(atom)
        is_risky = False
        if atom[0] == "(" and not atom.endswith(")"):
            groups.append(False)
            continue
        if atom == "|":
            groups[-1] = True
        elif atom == ")" and len(groups) > 1:
            is_risky = groups.pop()
            groups[-1] |= is_risky
        repeat = _REPEAT.match(text, at)
        if repeat is None:
            continue
        at = repeat.end()
        if _is_short(repeat):
            continue
        if is_risky:
            return "it repeats a group that holds a repeat or a choice"
        groups[-1] = True
        repeats += 1
        wide += bool(_WIDE.fullmatch(atom))
    if wide > MOST_WIDE:
        return f"it repeats any character more than {MOST_WIDE} times"
    return f"it has more than {MOST_REPEATS} repeats" if repeats > MOST_REPEATS else ""


def _is_short(repeat: re.Match[str]) -> bool:
    """Return whether a repeat is at most one."""
    if repeat[1] == "?":
        return True
    if repeat[1][0] != "{":
        return False
    most = repeat[4] if repeat[3] else repeat[2]
    return most.isdigit() and int(most) <= 1
