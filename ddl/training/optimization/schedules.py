"""The table of schedules: the learning rate as a function of the step. Listing and checking import no framework.

The step is the optimizer's counter, which checkpoints contain. The learning rate depends on nothing else, so a resumed
run continues with the same values. With gradient accumulation a step is a micro-batch, since Keras evaluates the
schedule for each of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from ddl.builder_table import BuilderTable
from ddl.distributed.learning_rate import scale_factor
from ddl.ranges import Range, check_ranges

_SHAPES = ("constant", "step", "cosine", "polynomial", "exponential")

_NEED_LENGTH = ("cosine", "polynomial")
_MILESTONE = Range(0, above=True)
_COURSE_RANGES = {
    "learning_rate": Range(0, above=True),
    "steps_per_epoch": Range(1),
    "warmup_epochs": Range(0),
    "epochs": Range(1),
}


def _check_milestones(given: Mapping[str, Any], defaults: Mapping[str, Any], owner: str) -> None:
    """Refuse milestones that are not in increasing order."""
    milestones = given.get("milestones", (1.0,))
    rising = list(milestones) == sorted(set(milestones))
    if not (milestones and rising and all(epoch in _MILESTONE for epoch in milestones)):
        raise ValueError(
            f"Received: milestones={milestones} for {owner}. Expected: increasing epochs above 0, such as 30,60,80."
        )


SCHEDULES = BuilderTable(
    "schedule",
    {name: f"ddl.training.optimization.schedule_shapes:{name}" for name in _SHAPES}
    | {"plateau": "ddl.training.optimization.monitor:plateau_factor"},
    hidden=("mode",),  # follows from the monitored value
    ranges={
        "factor": Range(0, 1, above=True, below=True),
        "final_factor": Range(0, 1),
        "min_factor": Range(0, 1, below=True),
        "power": Range(0, above=True),
        "patience": Range(1),
        "cooldown": Range(0),
        "min_delta": Range(0),
    },
    rule=_check_milestones,
)
"""Name -> shape. "plateau" also depends on the history: constant, multiplied by a factor updated at each epoch."""


@dataclasses.dataclass(frozen=True)
class Course:
    """Everything that the learning rate of a run depends on, besides the step.

    Attributes:
        name: one of `SCHEDULES`.
        learning_rate: base learning rate, per rank; the warm-up starts from it.
        scaling: how the full rate grows with the number of ranks: "linear", "sqrt" or "none".
        ranks: number of ranks; a fraction if the global batch is not a multiple of the per-rank batch.
        steps_per_epoch: steps (micro-batches) per epoch.
        warmup_epochs: epochs over which the rate rises linearly from the base to the full rate; no effect on one rank.
        epochs: total number of epochs, including those before a resume.
        options: options from `SCHEDULES.options(name)`.
    """

    name: str
    learning_rate: float
    steps_per_epoch: int
    epochs: int
    warmup_epochs: float = 0.0
    scaling: str = "none"
    ranks: float = 1
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the options and their ranges."""
        object.__setattr__(self, "options", SCHEDULES.check(self.name, **self.options))
        check_ranges(vars(self), _COURSE_RANGES, f"schedule {self.name}")
        scale_factor(self.scaling, self.ranks)

    @property
    def warmup_steps(self) -> int:
        """Steps of the warm-up."""
        return round(self.warmup_epochs * self.steps_per_epoch)

    def warmed(self, steps: Any, xp: ModuleType) -> Any:
        """Return the completed fraction of the warm-up, 0 to 1."""
        length = self.warmup_steps
        return xp.minimum(steps / length, 1.0) if length else xp.ones_like(steps)

    def after_warmup(self, steps: Any, xp: ModuleType) -> Any:
        """Return the steps since the end of the warm-up, 0 before."""
        return xp.maximum(steps - self.warmup_steps, 0.0)

    def decayed(self, steps: Any, xp: ModuleType) -> Any:
        """Return the completed fraction of the steps after the warm-up, 0 to 1."""
        length = max(self.epochs * self.steps_per_epoch - self.warmup_steps, 1)
        return xp.minimum(self.after_warmup(steps, xp) / length, 1.0)


def learning_rate_at(step: Any, course: Course) -> Any:
    """Return the learning rates of these steps (0 is the first), as float64 in the shape of `step`.

        learning_rate_at(np.arange(5000), Course("cosine", 1e-3, steps_per_epoch=100, epochs=50))

    For "plateau" the factor is taken as 1: multiply the result by `plateau_factor` of the history.
    """
    return compute_rate(np.asarray(step, np.float64), course, np)


def compute_rate(steps: Any, course: Course, xp: ModuleType) -> Any:
    """Return `learning_rate_at`, computed by `xp`, which is `numpy` or `tensorflow`.

    Steps are float64, which holds every whole number up to 2**53.
    """
    full = course.learning_rate * scale_factor(course.scaling, course.ranks)
    rate = course.learning_rate + (full - course.learning_rate) * course.warmed(steps, xp)
    if course.name == "plateau":
        return rate
    return rate * SCHEDULES.load(course.name)(steps, course, xp, **course.options)


def needs_length(name: str) -> bool:
    """Return whether the schedule depends on the total number of epochs."""
    SCHEDULES.find(name)
    return name in _NEED_LENGTH
