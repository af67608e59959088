"""Measure the speed of several functions in turn (A B C A B C), so that noise of the machine affects all of them alike.

Pure NumPy: the caller passes the functions and their input.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

Call = Callable[[np.ndarray], object]


@dataclass
class Speed:
    """Speed of one function: pictures per second in each round, and latencies of calls with one picture."""

    rates: list[float] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)

    def latency_ms(self, percent: float) -> float:
        """Return a percentile of the latencies in milliseconds."""
        return float(np.percentile(self.latencies_s, percent)) * 1e3


def measure_rates(
    calls: Mapping[str, Call], batch: np.ndarray, *, rounds: int, seconds: float
) -> dict[str, Speed]:
    """Call each function with the same batch, in turn, round after round. The first call is a warm-up.

    In each round a function is called for `seconds`, and at least once.
    """
    speeds = {name: Speed() for name in calls}
    for call in calls.values():
        call(batch)
    for _ in range(rounds):
        for name, call in calls.items():
            speeds[name].rates.append(_rate(call, batch, seconds))
    return speeds


def measure_latencies(
    calls: Mapping[str, Call], picture: np.ndarray, speeds: Mapping[str, Speed], *, repeats: int
) -> None:
    """Add to `speeds` each function's latency with one picture (1, H, W, C), in turn. The first call is a warm-up."""
    for call in calls.values():
        call(picture)
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call(picture)
            speeds[name].latencies_s.append(time.perf_counter() - start)


def _rate(call: Call, batch: np.ndarray, seconds: float) -> float:
    start, count = time.perf_counter(), 0
    while True:
        call(batch)
        count += len(batch)
        passed = time.perf_counter() - start
        if passed >= seconds:
            return count / passed
