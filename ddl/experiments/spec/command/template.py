"""Texts with {placeholders}: what stands in braces, what is within quotes, what only a shell would understand."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import NamedTuple

from ddl.ranges import did_you_mean

_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_SHELL = re.compile(r"[|&;<>`]|\$(?=[A-Za-z_({])|(?<![^\s=])~(?=[/\s]|$)")


class Placeholder(NamedTuple):
    """`{name}` from `start` to `end` of a text."""

    start: int
    end: int
    name: str


def placeholders(text: str) -> list[Placeholder]:
    """Return the placeholders of a text, in order. `{{` and `}}` are braces.

    Raises:
        ValueError: a brace stands alone, or nothing is in braces.
    """
    found = []
    for match in _BRACES.finditer(text):
        if match[0] in ("{{", "}}"):
            continue
        if match[1] is None or not match[1].strip():
            part = text[match.start() : match.start() + 20]
            raise ValueError(
                f"Received: a lone brace at {part!r}. Expected: {{name}}; braces themselves as {{{{ and }}}}."
            )
        found.append(Placeholder(match.start(), match.end(), match[1]))
    return found


def check_placeholders(text: str, known: Collection[str]) -> set[str]:
    """Return the names in a text's braces.

    Raises:
        ValueError: one of them is not known.
    """
    names = {found.name for found in placeholders(text)}
    for name in sorted(names - set(known)):
        near = did_you_mean(name, known)
        raise ValueError(
            f"Received: unknown placeholder {{{name}}}. Expected: one of {', '.join(known)}; "
            f"{{{{ and }}}} for braces.{near}"
        )
    return names


def fill(text: str, replacement: Callable[[Placeholder], str | None]) -> str:
    """Return the text with placeholders replaced; those whose replacement is None stay, and so do {{ and }}."""
    parts, at = [], 0
    for found in placeholders(text):
        new = replacement(found)
        if new is not None:
            parts += [text[at : found.start], new]
            at = found.end
    return "".join(parts) + text[at:]


def braced(text: str) -> str:
    """Return a text whose braces are doubled, so that no one takes them for placeholders."""
    return text.replace("{", "{{").replace("}", "}}")


def quotes(text: str) -> str:
    """Return a character for each of a shell text: the quote that it stands within, or a space."""
    states, quote, at = [], " ", 0
    while at < len(text):
        character = text[at]
        if character == "\\" and quote != "'":
            states += ["\\"] * len(text[at : at + 2])
            at += 2
            continue
        if quote == " " and character in "'\"":
            quote = character
            states.append(quote)
        elif character == quote:
            states.append(quote)
            quote = " "
        else:
            states.append(quote)
        at += 1
    return "".join(states)


def check_no_shell(text: str) -> None:
    """Refuse what only a shell would understand, unless it stands in quotes.

    Raises:
        ValueError: a pipe, a redirection, a variable, ~, ...
    """
    states = quotes(text)
    for match in _SHELL.finditer(text):
        if states[match.start()] == " ":
            raise ValueError(
                f"Received: {match[0]} in a command that no shell runs. Expected: shell: true beside it, "
                f"or the {match[0]} in quotes."
            )
