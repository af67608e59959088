"""Hides secrets in texts that leave the machine: by names, by forms of known tokens, and by this machine's own secrets.

Nothing hides what looks like any other word, so whoever sends a ticket looks at it first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ddl.machine import HIDDEN

SECRET_NAME = re.compile(
    r"key|token|secret|passw|pwd|credential|jwt|auth|cookie|signature|private", re.IGNORECASE
)
"""In the name of a setting."""
_HARMLESS = re.compile(r"keys|author\w*", re.IGNORECASE)  # data_option keys=image,mask

_WORD = (
    r"[\w.-]*(?:keys?|tokens?|secret|passw\w*|pwd|credentials?|jwt|auth|cookie|signature)[\w.-]*"
)
_VALUE = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s,;&\"'}\])]+"
_FORMS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S
        ),
        HIDDEN,
    ),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(://)[^/\s:@]{16,}@"), rf"\1{HIDDEN}@"),  # a token alone before the host
    (re.compile(r"\b(bearer|basic)(\s+)[\w.~+/=-]{6,}", re.I), rf"\1\2{HIDDEN}"),
    (
        re.compile(
            r"\b(?:gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|hf_\w{16,}|sk-[\w-]{16,}|xox[abeprs]-[\w-]{8,}"
            r"|(?:AKIA|ASIA)[A-Z0-9]{12,}|AIza[\w-]{20,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|npm_\w{16,}|pypi-[\w-]{16,})"
        ),
        HIDDEN,
    ),
)
_NAMED = re.compile(
    rf"(?P<name>(?<![\w.-])--?{_WORD}|\"?\b{_WORD}\"?)(?P<between>\s*[=:]\s*|\s+(?=[^\s-]))(?P<value>{_VALUE})",
    re.IGNORECASE,
)


class Mask:
    """Hides secrets in the texts and JSON values of one ticket."""

    def __init__(self, environ: Mapping[str, str], home: Path | None = None) -> None:
        """Learn this machine's own secrets: values of variables with such names. They are hidden wherever they stand.

        Args:
            environ: the environment variables.
            home: the user's folder, written as ~.
        """
        secrets = {
            value
            for name, value in environ.items()
            if SECRET_NAME.search(name) and len(value) >= _LEAST and not Path(value).exists()
        }
        self._secrets = sorted(secrets, key=len, reverse=True)
        self._home = str(home) if home and len(home.parts) > 1 else ""

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        for form, replacement in _FORMS:
            text = form.sub(replacement, text)
        text = _NAMED.sub(_hide_named, text)
        return re.sub(rf"{re.escape(self._home)}(?=/|\b)", "~", text) if self._home else text

    def value(self, value: Any, name: str = "") -> Any:
        """Return JSON values without secrets: all that stands under a secret's name, and what texts hold."""
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(part, str(key)) for key, part in value.items()}
        if is_secret(name) and value not in (None, "", True, False) and not _is_number(value):
            return HIDDEN
        if isinstance(value, list | tuple):
            return [self.value(part) for part in value]
        return self.text(value) if isinstance(value, str) else value

    def json_text(self, text: str) -> str:
        """Return a JSON document without secrets; as a text if it is no JSON."""
        try:
            values = json.loads(text)
        except ValueError:
            return self.text(text)
        return json.dumps(self.value(values), indent=2) + "\n"


_LEAST = (
    6  # characters of a secret that is hidden wherever it stands; shorter ones are parts of words
)


def is_secret(name: str) -> bool:
    """Return whether a setting of this name holds a secret."""
    return bool(SECRET_NAME.search(name)) and not _HARMLESS.fullmatch(name)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _hide_named(match: re.Match[str]) -> str:
    name, between = match["name"], match["between"]
    bare = name.strip("\"'").lstrip("-")
    if not is_secret(bare):
        return match[0]
    if not between.strip() and not name.startswith("-"):
        return match[0]  # a word of a sentence, such as "no key is"
    return f"{name}{between}{HIDDEN}"
