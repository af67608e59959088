"""What a spec wants to be told, and how: its `mail:` and its `notify:`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ddl.experiments.notify.events import KINDS
from ddl.experiments.spec.text.units import parse_duration

DEFAULT_ON = ("failed", "diverged", "refused", "lost", "finished", "rule")
"""Kinds that are told where `on` is not given."""

LIMIT = 10
PERIOD_S = 3600.0
COMMAND_LIMIT_S = 30.0

_ADDRESS = re.compile(
    r"[^\s<>@,;:\"\\()\[\]\x00-\x20\x7f]+@[A-Za-z0-9._-]+|[^\s<>@,;]+@\[[0-9A-Fa-f.:]+\]"
)


@dataclass(frozen=True, kw_only=True)
class MailWishes:
    """A spec's `mail:`.

    Attributes:
        to: Addresses; none: those of ~/.config/ddl/mail.yaml.
        on: Kinds of events to tell.
        curve: Whether the curve is attached.
        digest_s: Period in which at most `limit` mails are sent one by one.
        limit: That number; more events become one digest.
        template: File with the user's own text, "" for ours.
    """

    to: tuple[str, ...] = ()
    on: tuple[str, ...] = DEFAULT_ON
    curve: bool = True
    digest_s: float = PERIOD_S
    limit: int = LIMIT
    template: str = ""


@dataclass(frozen=True, kw_only=True)
class CommandWishes:
    """A spec's `notify:`.

    Attributes:
        command: Words of a program that gets each event as JSON on its standard input.
        on: Kinds of events to tell.
        limit_s: Seconds after which it is ended.
    """

    command: tuple[str, ...]
    on: tuple[str, ...] = DEFAULT_ON
    limit_s: float = COMMAND_LIMIT_S


def read_mail_wishes(value: Any) -> MailWishes:
    """Return a spec's `mail:`.

    Raises:
        ValueError: A key or a value is not as expected.
    """
    if isinstance(value, str | list | tuple):
        value = {"to": value}
    keys = ("to", "on", "curve", "digest", "limit", "template")
    given = _mapping("mail", value, keys)
    curve, limit = given.get("curve", True), given.get("limit", LIMIT)
    if not isinstance(curve, bool):
        raise _bad("mail: curve", curve, "true or false")
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise _bad("mail: limit", limit, "a whole number, at least 1")
    template = given.get("template") or ""
    if not isinstance(template, str):
        raise _bad("mail: template", template, "a file name")
    return MailWishes(
        to=read_addresses("mail: to", given.get("to")),
        on=_kinds("mail: on", given.get("on")),
        curve=curve,
        digest_s=_seconds("mail: digest", given.get("digest", PERIOD_S)),
        limit=limit,
        template=template,
    )


def read_command_wishes(value: Any) -> CommandWishes:
    """Return a spec's `notify:`.

    Raises:
        ValueError: A key or a value is not as expected.
    """
    if isinstance(value, str | list | tuple):
        value = {"command": value}
    given = _mapping("notify", value, ("command", "on", "limit"))
    command = given.get("command")
    if isinstance(command, str):
        command = [command]  # one word: the name of a program, no shell
    if (
        not isinstance(command, list | tuple)
        or not command
        or not all(isinstance(word, str) and word.strip() for word in command)
    ):
        raise _bad("notify: command", command, "a list of words, such as [python3, tell.py]")
    return CommandWishes(
        command=tuple(command),
        on=_kinds("notify: on", given.get("on")),
        limit_s=_seconds("notify: limit", given.get("limit", COMMAND_LIMIT_S)),
    )


def read_addresses(name: str, value: Any) -> tuple[str, ...]:
    """Return e-mail addresses: one text, or a list.

    Raises:
        ValueError: One is none. A line break in an address would begin a header of its own.
    """
    if value is None:
        return ()
    texts = value if isinstance(value, list | tuple) else [value]
    for text in texts:
        if not isinstance(text, str) or not _ADDRESS.fullmatch(text) or not text.isascii():
            raise _bad(name, text, "an address such as you@example.org, or a list of them")
    return tuple(dict.fromkeys(texts))


def _mapping(name: str, value: Any, keys: Collection[str]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _bad(name, value, f"a mapping with {', '.join(keys)}")
    for key in value:
        if key not in keys:
            near = difflib.get_close_matches(str(key), keys, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(
                f"Received: {name}: unknown key {key!r}. Expected: one of {', '.join(keys)}{hint}"
            )
    return value


def _kinds(name: str, value: Any) -> tuple[str, ...]:
    if value is None:
        return DEFAULT_ON
    kinds = [value] if isinstance(value, str) else value
    known = [kind for kind in KINDS if kind != "digest"]
    if not isinstance(kinds, list | tuple):
        raise _bad(name, value, f"a list of {', '.join(known)}")
    for kind in kinds:
        if kind not in known:
            near = difflib.get_close_matches(str(kind), known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise _bad(name, kind, f"of {', '.join(known)}{hint}")
    return tuple(kinds)


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9:
        return float(value)
    try:
        return parse_duration(str(value))
    except ValueError:
        raise _bad(name, value, "a duration such as 30s, 10min or 1h") from None


def _bad(name: str, value: Any, expected: str) -> ValueError:
    return ValueError(f"Received: {name}: {value!r}. Expected: {expected}.")
