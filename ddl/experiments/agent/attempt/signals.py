"""Signals that reach the agent itself, and sleep that they interrupt."""

from __future__ import annotations

import os
import select
import signal
from typing import Any

_HEARD = {
    signal.SIGUSR1: "time limit",  # Slurm's --signal=B:USR1@S
    signal.SIGTERM: "preempted",  # preemption, scancel, a machine that shuts down
    signal.SIGINT: "stop",  # Ctrl-C where somebody runs the agent by hand
}


class Signals:
    """What was asked by signals. They also end `wait`, and so does the end of a child."""

    def __init__(self) -> None:
        """Install the handlers. They are not inherited by commands, as ignored signals would be."""
        self.asked: list[str] = []
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (*_HEARD, signal.SIGCHLD, signal.SIGHUP):
            signal.signal(number, self._hear)

    def wait(self, seconds: float) -> None:
        """Sleep until a signal arrives, at most for a time."""
        if select.select([self._reader], [], [], max(seconds, 0))[0]:
            os.read(self._reader, 4096)

    def take(self) -> list[str]:
        """Return what was asked since the last call."""
        asked, self.asked = self.asked, []
        return asked

    def _hear(self, number: int, _: Any) -> None:
        if number in _HEARD:
            self.asked.append(_HEARD[signal.Signals(number)])
