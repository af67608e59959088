"""A user's own text for mails: named fields, such as $experiment or ${why}, and nothing that could be run.

    Subject: $experiment $what

    $why
    $results

The first lines may be "Subject: ..." and an empty line. `$$` is a dollar sign.
"""

from __future__ import annotations

import difflib
import re
import string
from collections.abc import Mapping
from pathlib import Path

FIELDS = {
    "id": "the event's id",
    "kind": "finished, failed, diverged, refused, stopped, lost, rule, unknown, back, started or digest",
    "what": "the kind in words, such as: has failed",
    "text": "what is known about the event",
    "time": "when it happened",
    "experiment": "the experiment's name",
    "number": "its number",
    "spec": "the spec's name",
    "author": "the spec's author",
    "subject": "the spec's subject",
    "group": "its group",
    "store": "the store's folder",
    "state": "its state now",
    "why": "why it is in that state",
    "node": "where it ran",
    "attempt": "the number of its last attempt",
    "epochs": "epochs done, and of how many",
    "parameters": "its parameters, a line each",
    "results": "its last values, with validation and test, a line each",
    "findings": "what its watch rules found, a line each",
    "tail": "the last lines of its log",
    "command": "its command",
    "remedy": "commands that show more",
}
"""Field of a template -> what stands there."""

_MOST_BYTES = 1 << 16
_SUBJECT = re.compile(r"subject:[ \t]*([^\r\n]*)(?:\r?\n|\Z)(?:\r?\n)?", re.IGNORECASE)


class _Text(string.Template):
    idpattern = r"(?a:[a-z_][a-z_0-9]*)"


class Template:
    """A template that was read and checked."""

    def __init__(self, text: str, name: str = "template") -> None:
        """Check the template.

        Raises:
            ValueError: A field is unknown, or a dollar sign names none.
        """
        match = _SUBJECT.match(text)
        self._subject = _Text(match[1]) if match else None
        self._body = _Text(text[match.end() :] if match else text)
        for part in (self._subject, self._body):
            if part is not None:
                _check(part, name)

    def subject(self, fields: Mapping[str, str]) -> str | None:
        """Return its subject, None if it has none."""
        return self._subject.substitute(fields) if self._subject else None

    def body(self, fields: Mapping[str, str]) -> str:
        """Return its text."""
        return self._body.substitute(fields)


def read_template(path: Path) -> Template:
    """Return the template in a file.

    Raises:
        ValueError: It cannot be read, is no text, or has an unknown field.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ValueError(
            f"Received: template {path}: {error.strerror}. Expected: a text file."
        ) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or len(data) > _MOST_BYTES:
        raise ValueError(
            f"Received: template {path}. Expected: a text in UTF-8 of at most {_MOST_BYTES} bytes."
        )
    return Template(text, f"template {path}")


def _check(part: _Text, name: str) -> None:
    for match in part.pattern.finditer(part.template):
        field = match["named"] or match["braced"]
        if match["invalid"] is not None:
            line = part.template[: match.start()].count("\n") + 1
            raise ValueError(
                f"Received: {name}, line {line}: a $ that names no field. Expected: $$ for a dollar sign."
            )
        if field and field not in FIELDS:
            near = difflib.get_close_matches(field, FIELDS, 1)
            hint = f"${near[0]}" if near else f"one of {', '.join(FIELDS)}"
            raise ValueError(f"Received: {name}: unknown field ${field}. Expected: {hint}.")
