"""Signals that ask a training to stop in good order: SIGTERM, SIGUSR1 and Ctrl-C. No TensorFlow here."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class StopRequest:
    """Remembers, inside a `with` block, that a signal asked to stop. A second Ctrl-C stops at once.

    Attributes:
        signal: the number of the last one that came, or 0.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._started = time.monotonic()
        self._before: dict[signal.Signals, Any] = {}

    @property
    def seconds(self) -> float:
        """Return for how long it has been there: what a time limit counts."""
        return time.monotonic() - self._started

    def __enter__(self) -> StopRequest:
        """Listen to signals; in a thread besides the main one (a notebook's, a server's) Python gives us none."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._remember) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        """Let signals do what they did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number


def ignore_signals() -> None:
    """Let none of these signals spoil the status of a program that is about to end anyway."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def signal_name(number: int) -> str:
    """Return what people call a signal."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
