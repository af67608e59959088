"""A clock that counts only the time in which this process runs."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_GAP_S = 5.0


class RunningTime:
    """Seconds in which this process was running.

    Ctrl-Z, a suspended Slurm job or a debugger stops a process for minutes. During that time it hears nothing from
    the other ranks, which proves nothing about them. One thread asks for the time at least once a second, so a
    longer gap is a stop.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._last, self._running_s = clock, clock(), 0.0

    def now(self) -> float:
        """Return the seconds since the start, without those in which this process was stopped."""
        moment = self._clock()
        gap_s, self._last = moment - self._last, moment
        if gap_s <= LONGEST_GAP_S:
            self._running_s += gap_s
        return self._running_s
