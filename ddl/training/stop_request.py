"""Handles signals that ask a run to stop cleanly: SIGTERM, SIGUSR1 and Ctrl-C. No TensorFlow here."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class StopRequest:
    """Records, inside a `with` block, that a signal asked to stop. A second Ctrl-C stops at once.

        with StopRequest() as request:
            while not request.signal:
                take_step()

    Attributes:
        signal: the number of the last signal received, or 0.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._started = time.monotonic()
        self._before: dict[signal.Signals, Any] = {}

    @property
    def seconds(self) -> float:
        """Seconds since this object was created; compared with the time limit."""
        return time.monotonic() - self._started

    def __enter__(self) -> StopRequest:
        """Install the signal handlers. Python allows this only in the main thread; elsewhere no signal is handled."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._remember) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the previous signal handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number


def ignore_signals() -> None:
    """Ignore these signals, so that they do not change the exit status of a program that is ending."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def signal_name(number: int) -> str:
    """Return the common name of a signal."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
