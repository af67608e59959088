"""Early stopping as a pure function of the history, so that a resumed run decides as the uninterrupted one."""

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
    """Return whether to stop after the epoch of the last value, as Keras's `EarlyStopping` decides it.

    One difference: a NaN never counts as an improvement, not even as the first value.

    Args:
        values: the monitored value of every epoch so far.
        mode: "min" if lower is better, "max" if higher is.
        patience: epochs without improvement to stop after; 0 and 1 mean the same.
        min_delta: smallest change from the best value that counts as an improvement.
        start_from_epoch: number of first epochs to ignore.
    """
    waited = epochs_without_progress(
        values, mode=mode, min_delta=min_delta, start_from_epoch=start_from_epoch
    )
    return len(values) > 1 and waited >= max(patience, 1)


def epochs_without_progress(
    values: Sequence[float], *, mode: str, min_delta: float = 0.0, start_from_epoch: int = 0
) -> int:
    """Return the number of epochs since the last improvement by more than `min_delta`.

    For the arguments see `stop_epoch`.
    """
    best, waited = None, 0
    for value in values[start_from_epoch:]:
        waited += 1
        if is_progress(value, best, mode=mode, min_delta=min_delta):
            best, waited = value, 0
    return waited


def is_progress(value: float, best: float | None, *, mode: str, min_delta: float = 0.0) -> bool:
    """Return whether a value improves on the best one so far by more than `min_delta`; a NaN never does.

    `best` is None before the first value that is not NaN.
    """
    if best is None:
        return not math.isnan(value)
    return value + min_delta < best if mode == "min" else value - min_delta > best
