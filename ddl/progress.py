"""How far a long step is: a bar on a terminal, a line every few seconds in a log."""

from __future__ import annotations

import os
import sys
import time
from typing import TextIO

LOG_EVERY_S = 5.0
REDRAW_EVERY_S = 0.2
_BAR_WIDTH = 30
_CLEAR = "\r\x1b[K"


class StatusLine:
    """Where progress is shown: one line that is redrawn on a terminal, lines now and then in a log.

    A terminal that has gone away (a lost connection) ends the showing, never the work.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        log_every_s: float = LOG_EVERY_S,
        redraws: bool | None = None,
    ) -> None:
        """Show on `stream` (standard error by default).

        Args:
            stream: a terminal or a log.
            log_every_s: seconds between lines in a log, at least.
            redraws: whether the line is redrawn in place; None: on a terminal which can.
        """
        self._stream = stream or sys.stderr
        dumb = os.environ.get("TERM") == "dumb"
        self.redraws = self._stream.isatty() and not dumb if redraws is None else redraws
        self._every_s = REDRAW_EVERY_S if self.redraws else log_every_s
        self._shown_s = time.monotonic()
        self._open = self._lost = False

    @property
    def width(self) -> int:
        """Columns that a line may take; asked each time, for windows change."""
        try:
            return max(os.get_terminal_size(self._stream.fileno()).columns - 1, 20)
        except (OSError, ValueError):  # no terminal, or one that does not know
            return 79

    def is_due(self) -> bool:
        """Return whether it is time for the next `show`. Cheap: asked at every step."""
        return time.monotonic() - self._shown_s >= self._every_s

    def show(self, text: str) -> None:
        """Show how far it is: in place of what was shown before, or as a line."""
        self._shown_s = time.monotonic()
        self._write(f"\r{text}\x1b[K" if self.redraws else f"{text}\n")
        self._open = self.redraws

    def clear(self) -> None:
        """Take a redrawn line away, so that something else can be printed."""
        if self._open:
            self._write(_CLEAR)
        self._open = False

    def finish(self, text: str) -> None:
        """Leave `text` for good, as a line of its own in place of what was redrawn."""
        self._shown_s = time.monotonic()
        self._write((_CLEAR if self._open else "") + f"{text}\n")
        self._open = False

    def close(self) -> None:
        """Leave a line that stopped halfway on a line of its own."""
        if self._open:
            self._write("\n")
        self._open = False

    def _write(self, text: str) -> None:
        if self._lost:
            return
        try:
            self._stream.write(text)  # in one piece: launchers put their prefix before each
            self._stream.flush()
        except OSError:
            self._lost = True


class Progress:
    """Counts what is done, and says so with rate and time left."""

    def __init__(self, what: str, total: int, stream: TextIO | None = None) -> None:
        """Start counting to `total`."""
        self._what, self._total = what, total
        self._line = StatusLine(stream)
        self._start_s = time.monotonic()
        self._first: int | None = None

    def show(self, done: int) -> None:
        """Report that `done` of all are ready, if it is time to."""
        first = self._first is None
        if self._first is None:
            self._first = done  # what an earlier run had done says nothing about the rate
        finished = done >= self._total
        if not (first or finished or self._line.is_due()):
            return
        text = self._text(done, time.monotonic() - self._start_s)
        if self._line.redraws:
            text = f"{draw_bar(done, self._total)} {text}"
        if finished:
            self._line.finish(text)
        else:
            self._line.show(text)

    def close(self) -> None:
        """Leave a bar that stopped halfway on a line of its own."""
        self._line.close()

    def _text(self, done: int, seconds: float) -> str:
        new = done - (self._first or 0)
        text = f"{self._what}: {done} of {self._total}"
        if new and seconds > 0:
            rate = new / seconds
            text += f", {rate:.1f}/s, {(self._total - done) / rate:.0f} s left"
        return text


def draw_bar(done: int, total: int, width: int = _BAR_WIDTH) -> str:
    """Return a bar that is `width` columns wide inside its brackets."""
    filled = min(width * done // max(total, 1), width)
    return "[" + "#" * filled + "." * (width - filled) + "]"


def duration(seconds: float) -> str:
    """Return hours, minutes and seconds: 3671 is "1:01:11"; days are counted as hours."""
    whole = max(round(seconds), 0)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
