"""Words, numbers and signs of a rule's text, and a cursor over them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

NAME, NUMBER, QUOTED, SIGN, END = "name", "number", "quoted", "sign", ""

LONGEST_TEXT = 500
LONGEST_NAME = 100

_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?)"
    r"|(?P<name>[^\W\d][\w.]*)"
    r"|(?P<quoted>\"[^\"]*\"|'[^']*')"
    r"|(?P<sign>->|<=|>=|==|!=|[-+*/<>(),%])"
)
_BLANK = re.compile(r"\s*")
_INSTEAD = {"=": "==", "&": "and", "|": "or", "!": "not, or !=", "^": "x * x, there are no powers"}


class Problem(Exception):
    """What is wrong with a text.

    Attributes:
        at: at which character, from 0.
        expected: what would be right there.
    """

    def __init__(self, at: int, expected: str) -> None:
        super().__init__(expected)
        self.at, self.expected = at, expected


@dataclass(frozen=True)
class Token:
    """A word, a number or a sign. `text` of a quoted name is without its quotes; `value` is that of a number."""

    kind: str
    text: str
    at: int
    value: float = 0.0


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of a text; the last one is an END.

    Raises:
        Problem: the text is too long, or holds what is neither word nor number nor sign.
    """
    if len(text) > LONGEST_TEXT:
        raise Problem(LONGEST_TEXT, f"a rule of at most {LONGEST_TEXT} characters")
    tokens: list[Token] = []
    at = _skip_blank(text, 0)
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            closed = text[at] not in "\"'"
            expected = _INSTEAD.get(text[at], "a name, a number or one of < > + - * / ( ) , ->")
            raise Problem(at, expected if closed else "a second quotation mark")
        tokens.append(_token(found, at))
        at = _skip_blank(text, found.end())
    return [*tokens, Token(END, "", len(text))]


def _skip_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _token(found: re.Match[str], at: int) -> Token:
    kind, text = str(found.lastgroup), found[0]
    if kind == NUMBER:
        return Token(kind, text, at, float(text))
    if kind == QUOTED:
        text = text[1:-1]
    if kind in (NAME, QUOTED) and not 0 < len(text) <= LONGEST_NAME:
        raise Problem(at, f"a name of 1 to {LONGEST_NAME} characters")
    return Token(kind, text, at)


class Cursor:
    """Walks over the tokens of a text."""

    def __init__(self, text: str) -> None:
        """Start at the first token.

        Raises:
            Problem: the text holds what is no token.
        """
        self._tokens = tokens_of(text)
        self._next = 0

    def peek(self, ahead: int = 0) -> Token:
        """Return the next token, or one further on, without taking it."""
        return self._tokens[min(self._next + ahead, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Take the next token."""
        token = self.peek()
        self._next += 1
        return token

    def sees(self, *texts: str, ahead: int = 0) -> bool:
        """Return whether the next token is one of these words or signs; a quoted name is never one."""
        token = self.peek(ahead)
        return token.kind in (NAME, SIGN) and token.text in texts

    def takes(self, *texts: str) -> Token | None:
        """Take the next token if it is one of these words or signs."""
        return self.take() if self.sees(*texts) else None

    def want(self, text: str, expected: str) -> None:
        """Take this word or sign.

        Raises:
            Problem: the next token is another one.
        """
        if not self.takes(text):
            self.fail(expected)

    def fail(self, expected: str, at: int | None = None) -> NoReturn:
        """Raise a `Problem` at the next token, or at another character."""
        raise Problem(self.peek().at if at is None else at, expected)
