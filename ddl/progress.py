"""Progress of long steps: a bar on a terminal, a line every few seconds in a log."""

from __future__ import annotations

import os
import sys
import time
from typing import TextIO

from ddl.plain_text import escaped

LOG_EVERY_S = 5.0
REDRAW_EVERY_S = 0.2
_BAR_WIDTH = 30
_CLEAR = "\r\x1b[K"


class StatusLine:
    """Shows progress: a redrawn line on a terminal, a line every few seconds in a log.

    If the terminal is lost (a broken connection), it stops writing; the work continues.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        log_every_s: float = LOG_EVERY_S,
        redraws: bool | None = None,
    ) -> None:
        """Show progress on `stream` (default: standard error), redrawn in place on terminals that can."""
        self._stream = stream or sys.stderr
        dumb = os.environ.get("TERM") == "dumb"
        self.redraws = self._stream.isatty() and not dumb if redraws is None else redraws
        self._every_s = REDRAW_EVERY_S if self.redraws else log_every_s
        self._shown_s = time.monotonic()
        self._open = self._lost = False

    @property
    def width(self) -> int:
        """Columns available for a line; read each time, because windows are resized."""
        try:
            return max(os.get_terminal_size(self._stream.fileno()).columns - 1, 20)
        except (OSError, ValueError):  # not a terminal, or one of unknown size
            return 79

    def is_due(self) -> bool:
        """Return whether the next `show` is due. Cheap enough to call at every step."""
        return time.monotonic() - self._shown_s >= self._every_s

    def show(self, text: str) -> None:
        """Show `text`: on a terminal in place of the previous text, in a log as a line."""
        self._shown_s = time.monotonic()
        text = escaped(text)
        self._write(f"\r{text}\x1b[K" if self.redraws else f"{text}\n")
        self._open = self.redraws

    def clear(self) -> None:
        """Erase the redrawn line, so that something else can be printed."""
        if self._open:
            self._write(_CLEAR)
        self._open = False

    def finish(self, text: str) -> None:
        """Print `text` as a permanent line, in place of the redrawn one."""
        self._shown_s = time.monotonic()
        self._write((_CLEAR if self._open else "") + f"{escaped(text)}\n")
        self._open = False

    def close(self) -> None:
        """End an unfinished redrawn line, so that later output starts on a new line."""
        if self._open:
            self._write("\n")
        self._open = False

    def _write(self, text: str) -> None:
        if self._lost:
            return
        try:
            self._stream.write(text)  # one write: launchers prefix each write
            self._stream.flush()
        except OSError:
            self._lost = True


class Progress:
    """Counts finished items and shows the rate and the time left."""

    def __init__(self, what: str, total: int, stream: TextIO | None = None) -> None:
        """Start counting items named `what` up to `total`."""
        self._what, self._total = what, total
        self._line = StatusLine(stream)
        self._start_s = time.monotonic()
        self._first: int | None = None

    def show(self, done: int) -> None:
        """Show that `done` items are finished, if a report is due."""
        is_first = self._first is None
        if self._first is None:
            self._first = done  # items of an earlier run do not count for the rate
        is_last = done >= self._total
        if not (is_first or is_last or self._line.is_due()):
            return
        text = f"{self._what}: {done} of {self._total}"
        new, seconds = done - self._first, time.monotonic() - self._start_s
        if new and seconds > 0:
            rate = new / seconds
            text += f", {rate:.1f}/s, {(self._total - done) / rate:.0f} s left"
        if self._line.redraws:
            text = f"{draw_bar(done, self._total)} {text}"
        if is_last:
            self._line.finish(text)
        else:
            self._line.show(text)

    def close(self) -> None:
        """End an unfinished bar, so that later output starts on a new line."""
        self._line.close()


def draw_bar(done: int, total: int, width: int = _BAR_WIDTH) -> str:
    """Return a progress bar, `width` columns wide without its brackets."""
    filled = min(width * done // max(total, 1), width)
    return "[" + "#" * filled + "." * (width - filled) + "]"


def duration(seconds: float) -> str:
    """Return hours, minutes and seconds: 3671 becomes "1:01:11"; days count as hours."""
    whole = max(round(seconds), 0)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
