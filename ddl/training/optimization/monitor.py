"""What the values of the monitored quantity decide: which epoch is best, when to stop, when to lower the learning rate.

All of it depends only on the history, so a resumed run decides as the uninterrupted one would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ddl.ranges import check_choice

MODES = ("auto", "min", "max")
_MORE_IS_BETTER = ("dice", "iou", "precision", "recall", "top_", "accuracy")


def better_is(monitor: str, mode: str = "auto") -> str:
    """Return "max" if a higher value of this name (such as "val_dice") is better, else "min"."""
    check_choice("mode", mode, MODES)
    if mode != "auto":
        return mode
    if monitor.endswith("loss"):
        return "min"
    return "max" if any(part in monitor for part in _MORE_IS_BETTER) else "min"


def should_stop(
    values: Sequence[float], *, mode: str, patience: int, min_delta: float = 0.0
) -> bool:
    """Return whether to stop after the epoch of the last value, as Keras's `EarlyStopping` decides it.

    One difference: a NaN never counts as an improvement, not even as the first value.

    Args:
        values: the monitored value of every epoch so far.
        mode: "min" if lower is better, "max" if higher is.
        patience: epochs without improvement to stop after; 0 and 1 mean the same.
        min_delta: smallest change from the best value that counts as an improvement.
    """
    best, waited = None, 0
    for value in values:
        waited += 1
        if _improves(value, best, mode, min_delta):
            best, waited = value, 0
    return len(values) > 1 and waited >= max(patience, 1)


def plateau_factor(
    values: Sequence[float],
    *,
    mode: str,
    factor: float = 0.1,
    patience: int = 10,
    min_delta: float = 1e-4,
    cooldown: int = 0,
    min_factor: float = 0.0,
) -> float:
    """Return the factor on the learning rate of the next epoch, as Keras's `ReduceLROnPlateau` decides it.

    One difference: a NaN never counts as an improvement, not even as the first value.

    Args:
        values: the monitored value of every epoch so far; an empty sequence gives 1.
        mode: "min" if lower is better, "max" if higher is.
        factor: multiplies the learning rate at each plateau.
        patience: epochs without improvement that count as a plateau.
        min_delta: smallest change from the best value that counts as an improvement.
        cooldown: epochs after a reduction that are not counted.
        min_factor: lower bound of the returned factor.
    """
    best, waited, cooling, current = None, 0, 0, 1.0
    for value in values:
        # Before the test below: the last epoch of a cooldown counts, as in Keras.
        cooling = max(cooling - 1, 0)
        if _improves(value, best, mode, min_delta):
            best, waited = value, 0
        elif not cooling:
            waited += 1
            if waited >= patience:
                current, waited, cooling = max(current * factor, min_factor), 0, cooldown
    return current


def _improves(value: float, best: float | None, mode: str, min_delta: float) -> bool:
    """Return whether a value improves on the best one (None: there is none yet) by more than `min_delta`."""
    if best is None:
        return not math.isnan(value)
    return value + min_delta < best if mode == "min" else value - min_delta > best
