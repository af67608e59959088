"""Ages, numbers, sizes and states as people read them."""

from __future__ import annotations

import os
import sys
import time
from typing import Any, TextIO

from ddl.experiments.states import BAD

_COLOURS = {
    "failed": "31",
    "diverged": "31",
    "refused": "31",
    "lost": "31",
    "unknown": "33",
    "stopping": "33",
    "requeued": "33",
    "paused": "33",
    "running": "36",
    "submitting": "36",
    "finished": "32",
}
_DIGITS = 5


def age(seconds: float | None) -> str:
    """Return a length of time in its largest unit: "12 s", "5 min", "3 h", "2 d"; "" for None."""
    if seconds is None:
        return ""
    seconds = max(0.0, seconds)
    for unit, length, most in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < most:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def when(time_s: float | None) -> str:
    """Return a time as local date and time, "" for 0 and None."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time_s)) if time_s else ""


def number(value: Any) -> str:
    """Return a value of a history or a parameter: numbers with five digits, the rest as JSON says it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}"
    return str(value)


def size(size_bytes: float | None) -> str:
    """Return a size in its largest unit: "310 kB"; "" for None."""
    if size_bytes is None:
        return ""
    amount = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def has_colours(stream: TextIO | None = None) -> bool:
    """Return whether a stream is a terminal that shows colours, and the user wants them (NO_COLOR)."""
    stream = stream or sys.stdout
    try:
        is_terminal = stream.isatty()
    except ValueError:  # closed
        return False
    return is_terminal and os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")


def painted(text: str, state: str) -> str:
    """Return a text in the colour of a state; bad ones are bold, too."""
    code = _COLOURS.get(state)
    bold = "1;" if state in BAD else ""
    return f"\x1b[{bold}{code}m{text}\x1b[0m" if code else text
