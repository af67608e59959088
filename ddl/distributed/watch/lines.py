"""The lines that ranks send each other: a token first, then fields between tabs.

The token shows that the sender belongs to the job. Nothing of a line is read before its token was compared.
"""

from __future__ import annotations

import re
import secrets

TOKEN_CHARACTERS = 32
MAX_LINE_BYTES = 4096
_MAX_FIELD_CHARACTERS = 500

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class NotOurs(ValueError):
    """The bytes do not come from a rank of this job."""


def new_token() -> str:
    """Return a random token."""
    return secrets.token_hex(TOKEN_CHARACTERS // 2)


def encode(token: str, *fields: object) -> bytes:
    """Return a line. Fields are cut to 500 characters; control characters in them become spaces."""
    texts = (_CONTROL.sub(" ", str(field)[:_MAX_FIELD_CHARACTERS]) for field in fields)
    return "\t".join([token, *texts]).encode(errors="replace") + b"\n"


class Decoder:
    """Turns the bytes of one connection into lines."""

    def __init__(self, token: str) -> None:
        self._token, self._rest = token.encode(), b""

    def feed(self, data: bytes) -> list[list[str]]:
        """Return the fields of each line that is complete now.

        Raises:
            NotOurs: a line does not begin with the token, or is too long.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        fields = [self._fields(line) for line in lines]
        if len(self._rest) > MAX_LINE_BYTES:
            raise NotOurs("a line is too long")
        if len(self._rest) >= len(self._token):
            self._check(self._rest)
        return fields

    def _fields(self, line: bytes) -> list[str]:
        self._check(line)
        return line[len(self._token) :].decode(errors="replace").split("\t")[1:]

    def _check(self, line: bytes) -> None:
        if not secrets.compare_digest(line[: len(self._token)], self._token):
            raise NotOurs("a line does not begin with the token")
