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
    factor: float = 0.1,
) -> Any:
    """Return `factor` to the power of the number of milestones passed (He et al. 2015, Goyal et al. 2017).

    Args:
        milestones: epochs, counted from the start of training, after which the rate drops.
        factor: multiplies the rate at each milestone.
    """
    fraction = xp.ones_like(steps)
    for milestone in milestones:
        first = round(milestone * course.steps_per_epoch)
        # 0 or 1, since steps are whole numbers. `where` would convert Python floats to float32 under TensorFlow.
        passed = xp.minimum(xp.maximum(steps - first + 1, 0.0), 1.0)
        fraction *= factor**passed
    return fraction


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


def exponential(steps: Any, course: Course, xp: ModuleType, *, factor: float = 0.95) -> Any:
    """Return `factor` to the power of the epochs since the warm-up, decaying at every step.

    Args:
        factor: multiplies the rate over each epoch.
    """
    return factor ** (course.after_warmup(steps, xp) / course.steps_per_epoch)
