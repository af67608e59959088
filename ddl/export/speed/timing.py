"""How fast several ways to compute the same thing are, measured in turn: A B C A B C, so that noise meets all alike.

Pure NumPy: what is called, and on what, is the caller's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

Call = Callable[[np.ndarray], object]


@dataclass
class Speed:
    """What was measured of one way.

    Attributes:
        rates: pictures a second, one number a round.
        latencies_s: of calls with one picture.
    """

    rates: list[float] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """The median over rounds."""
        return float(np.median(self.rates))

    def latency_ms(self, percent: float) -> float:
        """Return what so many percent of the calls did not exceed."""
        return float(np.percentile(self.latencies_s, percent)) * 1e3


def measure_rates(
    calls: Mapping[str, Call], batch: np.ndarray, *, rounds: int, seconds: float
) -> dict[str, Speed]:
    """Call each way with the same batch for so long, in turn, round after round. The first call of each is not counted.

    Args:
        calls: name -> way.
        batch: of pictures.
        rounds: of all ways.
        seconds: that a way has in a round, at least one call.
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
    """Add to `speeds` how long each way takes for one picture (1, H, W, C), in turn. First calls are not counted."""
    for call in calls.values():
        call(picture)
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call(picture)
            speeds[name].latencies_s.append(time.perf_counter() - start)


def ratios(speeds: Mapping[str, Speed], name: str, base: str) -> list[float]:
    """Return how many times faster one way was than another, round by round."""
    pairs = zip(speeds[name].rates, speeds[base].rates, strict=True)
    return [one / other for one, other in pairs]


def _rate(call: Call, batch: np.ndarray, seconds: float) -> float:
    start, count = time.perf_counter(), 0
    while True:
        call(batch)
        count += len(batch)
        passed = time.perf_counter() - start
        if passed >= seconds:
            return count / passed
