"""Schedule functions: step -> fraction of the full learning rate. One formula serves NumPy and TensorFlow.

Every function takes steps (whole numbers as a float64 array of any shape), the `Course` of the run, and the array
module `xp`, `numpy` or `tensorflow`. It returns fractions that broadcast with the steps.
"""

from __future__ import annotations

import math
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddl.training.optimization.schedules import Course


def constant(steps: Any, course: Course, xp: ModuleType) -> Any:
    """Return 1."""
    return xp.ones_like(steps)


def step(
    steps: Any,
    course: Course,
    xp: ModuleType,
    *,
    milestones: tuple[float, ...] = (30.0, 60.0, 80.0),
    every: float = 0.0,
    factor: float = 0.1,
    floor: float = 0.0,
    floor_rule: str = "clip",
) -> Any:
    """Return `factor` to the power of the number of milestones passed (He et al. 2015, Goyal et al. 2017).

    Args:
        milestones: epochs, counted from the start of training, after which the rate drops.
        every: epochs between drops, in place of milestones; 0 uses the milestones.
        factor: multiplies the rate at each drop.
        floor: lowest learning rate, scaled to all ranks.
        floor_rule: what happens to a drop that would pass the floor: "clip" stops at it, "skip" leaves the rate.
    """
    drops = _drops(steps, course, xp, milestones, every)
    lowest = floor / course.full_rate
    if not 0 < lowest <= 1:
        return factor**drops if lowest <= 0 else xp.ones_like(steps)
    if floor_rule == "skip":
        return factor ** xp.minimum(drops, _most_drops(factor, lowest))
    return xp.maximum(factor**drops, lowest)


def _drops(
    steps: Any, course: Course, xp: ModuleType, milestones: tuple[float, ...], every: float
) -> Any:
    """Return how often the rate has dropped before each step."""
    if every:
        # The k-th drop comes k periods after the start, rounded to a step. -floor(-x): TensorFlow has no `ceil`.
        return xp.maximum(-xp.floor(-(steps + 0.5) / (every * course.steps_per_epoch)) - 1, 0.0)
    drops = xp.zeros_like(steps)
    for milestone in milestones:
        first = round(milestone * course.steps_per_epoch)
        # 0 or 1, since steps are whole numbers. `where` would convert Python floats to float32 under TensorFlow.
        drops += xp.minimum(xp.maximum(steps - first + 1, 0.0), 1.0)
    return drops


def _most_drops(factor: float, lowest: float) -> float:
    """Return how many drops by a factor stay at or above the lowest fraction."""
    most = math.floor(math.log(lowest) / math.log(factor))
    # A logarithm may be off by its rounding: 0.1**3 is at 0.001, although the quotient may be 2.9999999999999996.
    return float(most + (factor ** (most + 1) >= lowest * (1 - 1e-12)))


def cosine(steps: Any, course: Course, xp: ModuleType, *, final_factor: float = 0.0) -> Any:
    """Return half a cosine wave from 1 to `final_factor` (Loshchilov and Hutter 2017, without restarts).

    Args:
        final_factor: fraction of the full rate at the end of training.
    """
    wave = (1 + xp.cos(math.pi * course.decayed(steps, xp))) / 2
    return final_factor + (1 - final_factor) * wave


def polynomial(
    steps: Any, course: Course, xp: ModuleType, *, power: float = 1.0, final_factor: float = 0.0
) -> Any:
    """Return (1 - completed fraction) ** `power`, scaled to go from 1 to `final_factor`.

    Args:
        power: 1 is a straight line; 0.9 is common for segmentation.
        final_factor: fraction of the full rate at the end of training.
    """
    left = (1 - course.decayed(steps, xp)) ** power
    return final_factor + (1 - final_factor) * left


def exponential(
    steps: Any, course: Course, xp: ModuleType, *, factor: float = 0.95, staircase: bool = False
) -> Any:
    """Return `factor` to the power of the epochs since the warm-up.

    Args:
        factor: multiplies the rate over each epoch.
        staircase: multiply the rate at the end of each epoch, not a little at every step.
    """
    epochs = course.after_warmup(steps, xp) / course.steps_per_epoch
    return factor ** (xp.floor(epochs) if staircase else epochs)
