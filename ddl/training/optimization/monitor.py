"""What the values of the monitored quantity decide: which epoch is best, when to stop, when to lower the learning rate.

All of it depends only on the history, so a resumed run decides as the uninterrupted one would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ddl.ranges import check_choice

MODES = ("auto", "min", "max")
_MORE_IS_BETTER = ("dice", "iou", "precision", "recall", "top_", "accuracy", "diversity")
_NAMES_OF_MORE = ("ap", "ap50", "ap75")


def better_is(monitor: str, mode: str = "auto") -> str:
    """Return "max" if a higher value of this name (such as "val_dice") is better, else "min"."""
    check_choice("mode", mode, MODES)
    if mode != "auto":
        return mode
    if monitor.endswith("loss"):
        return "min"
    is_more = monitor.removeprefix("val_") in _NAMES_OF_MORE
    return "max" if is_more or any(part in monitor for part in _MORE_IS_BETTER) else "min"


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


FLOOR_RULES = ("clip", "skip")


@dataclass(frozen=True, kw_only=True)
class Plateau:
    """When the learning rate drops because a value does not improve, and by how much.

    Attributes:
        factor: multiplies the learning rate at each plateau.
        patience: epochs without improvement that count as a plateau.
        min_delta: smallest change from the best value that counts as an improvement.
        cooldown: epochs after a reduction that are not counted.
        min_factor: lower bound of all reductions together, as a fraction of the scaled rate.
        floor: lowest learning rate, scaled to all ranks.
        floor_rule: what happens to a reduction that would pass the floor: "clip" stops at it, "skip" leaves the rate.
        monitor: quantity to watch, such as val_top_1; none takes that of the run.
        monitor_mode: whether lower ("min") or higher ("max") values of this `monitor` are better; "auto": by its name.
    """

    factor: float = 0.1
    patience: int = 10
    min_delta: float = 1e-4
    cooldown: int = 0
    min_factor: float = 0.0
    floor: float = 0.0
    floor_rule: str = "clip"
    monitor: str | None = None
    monitor_mode: str = "auto"


def plateau_factor(
    values: Sequence[float], plateau: Plateau, *, mode: str, full_rate: float = math.inf
) -> float:
    """Return the factor on the learning rate of the next epoch, as Keras's `ReduceLROnPlateau` decides it.

    One difference: a NaN never counts as an improvement, not even as the first value.

    Args:
        values: the monitored value of every epoch so far; an empty sequence gives 1.
        plateau: the rule.
        mode: "min" if lower is better, "max" if higher is.
        full_rate: the learning rate that the factor multiplies, for the floor.
    """
    lowest = min(plateau.floor / full_rate, 1.0)
    best, waited, cooling, current = None, 0, 0, 1.0
    for value in values:
        # Before the test below: the last epoch of a cooldown counts, as in Keras.
        cooling = max(cooling - 1, 0)
        if _improves(value, best, mode, plateau.min_delta):
            best, waited = value, 0
        elif not cooling:
            waited += 1
            if waited >= plateau.patience:
                waited, cooling = 0, plateau.cooldown
                lower = max(current * plateau.factor, plateau.min_factor)
                if plateau.floor_rule == "clip" or lower >= lowest * (1 - 1e-12):
                    current = max(lower, lowest)
    return current


def _improves(value: float, best: float | None, mode: str, min_delta: float) -> bool:
    """Return whether a value improves on the best one (None: there is none yet) by more than `min_delta`."""
    if best is None:
        return not math.isnan(value)
    return value + min_delta < best if mode == "min" else value - min_delta > best
