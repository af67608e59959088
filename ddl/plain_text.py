"""Text that a terminal or a log may show: names of files may hold escape sequences, newlines and reversed text."""

from __future__ import annotations

import logging
import re
import sys

_INVISIBLE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # control characters: escape sequences start with one, a newline forges a line
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # turn the direction of what follows
    "\u00ad\u034f\u115f\u1160\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\uffa0"  # take no room
    "\u2028\u2029"  # separate lines and paragraphs
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # marks and tags that nothing shows
    "\ud800-\udfff"  # halves of characters: Python's form of bytes that are not UTF-8
    "]"
)
_HALVES = re.compile("[\ud800-\udfff]")
_LINE_ENDS = re.compile(r"(\n)")


def escaped(text: object) -> str:
    """Return a text in which every character that would not be seen as such is written as its number, as in Python.

    Bytes of file names that are not UTF-8 become `\\xff`.
    """
    return _INVISIBLE.sub(_number, str(text))


def escaped_lines(text: str) -> str:
    """Return a text of several lines, such as a traceback, whose lines are escaped."""
    return "".join(part if part == "\n" else escaped(part) for part in _LINE_ENDS.split(text))


def encodable(text: str) -> str:
    """Return a text that UTF-8 can express: bytes of names that are not UTF-8 become `\\xff`."""
    return _HALVES.sub(_number, text)


def tell(line: object) -> None:
    """Write a line to standard error. What is told to users by the commands passes here."""
    if sys.stderr is not None:
        sys.stderr.write(f"{escaped(line)}\n")
        sys.stderr.flush()


class EscapedRecords(logging.Filter):
    """Escapes what is logged, for all handlers: terminal, log file, and those of a user's own script."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Escape the message, and let it pass."""
        record.msg, record.args = escaped(record.getMessage()), ()
        return True


def _number(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
