"""How far a long step is: a bar on a terminal, a line every few seconds in a log."""

from __future__ import annotations

import sys
import time
from typing import TextIO

REPORT_EVERY_S = 5.0
_BAR_WIDTH = 30


class Progress:
    """Counts what is done, and says so with rate and time left."""

    def __init__(self, what: str, total: int, stream: TextIO | None = None) -> None:
        """Start counting to `total`."""
        self._what, self._total = what, total
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._start_s = time.monotonic()
        self._report_s = self._start_s
        self._first: int | None = None
        self._finished = False

    def show(self, done: int) -> None:
        """Report that `done` of all are ready, if it is time to."""
        first = self._first is None
        if self._first is None:
            self._first = done  # what an earlier run had done says nothing about the rate
        now_s = time.monotonic()
        finished = done >= self._total
        wait_s = 0.1 if self._terminal else REPORT_EVERY_S
        if now_s - self._report_s < wait_s and not (first or finished):
            return
        self._report_s = now_s
        self._finished = finished
        text = self._text(done, now_s - self._start_s)
        if self._terminal:
            filled = _BAR_WIDTH * done // max(self._total, 1)
            bar = "#" * filled + "." * (_BAR_WIDTH - filled)
            self._stream.write(f"\r[{bar}] {text}\x1b[K" + ("\n" if finished else ""))
        else:
            self._stream.write(text + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Leave a bar that stopped halfway on a line of its own."""
        if self._terminal and not self._finished:
            self._stream.write("\n")

    def _text(self, done: int, seconds: float) -> str:
        new = done - (self._first or 0)
        text = f"{self._what}: {done} of {self._total}"
        if new and seconds > 0:
            rate = new / seconds
            text += f", {rate:.1f}/s, {(self._total - done) / rate:.0f} s left"
        return text
