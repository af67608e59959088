"""When to stop early: a function of the values so far, so that a resumed run decides what the uninterrupted one did."""

from __future__ import annotations

import math
from collections.abc import Sequence


def stop_epoch(
    values: Sequence[float],
    *,
    mode: str,
    patience: int,
    min_delta: float = 0.0,
    start_from_epoch: int = 0,
) -> bool:
    """Return whether the epoch that gave the last value is the one to stop after, as Keras's `EarlyStopping` does.

    But for one thing: a NaN is never progress, not even as the first value.

    Args:
        values: what is watched, a value an epoch from the first epoch on.
        mode: "min" where less is better, "max" where more is.
        patience: epochs without progress to stop after; 0 and 1 are the same.
        min_delta: what progress is at least, by which a value must beat the best one.
        start_from_epoch: how many of the first epochs do not count.
    """
    waited = epochs_without_progress(
        values, mode=mode, min_delta=min_delta, start_from_epoch=start_from_epoch
    )
    return len(values) > 1 and waited >= max(patience, 1)


def epochs_without_progress(
    values: Sequence[float], *, mode: str, min_delta: float = 0.0, start_from_epoch: int = 0
) -> int:
    """Return how many epochs ago a value was the last to beat the best one before it by more than `min_delta`.

    The arguments are those of `stop_epoch`.
    """
    best, waited = None, 0
    for value in values[start_from_epoch:]:
        waited += 1
        if is_progress(value, best, mode=mode, min_delta=min_delta):
            best, waited = value, 0
    return waited


def is_progress(value: float, best: float | None, *, mode: str, min_delta: float = 0.0) -> bool:
    """Return whether a value beats the best one so far by more than `min_delta`; a NaN never does.

    The best one is None where there is none yet.
    """
    if best is None:
        return not math.isnan(value)
    return value + min_delta < best if mode == "min" else value - min_delta > best
