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
from ddl.ranges import Range, check_choice, check_ranges
from ddl.training.optimization.monitor import FLOOR_RULES, MODES

WARMUPS = ("linear", "staircase")
_SHAPES = ("constant", "step", "cosine", "polynomial", "exponential")

_NEED_LENGTH = ("cosine", "polynomial")
_MILESTONE = Range(0, above=True)
_COURSE_RANGES = {
    "learning_rate": Range(0, above=True),
    "warmup_from": Range(0),
    "steps_per_epoch": Range(1),
    "warmup_epochs": Range(0),
    "epochs": Range(1),
}


def _check_drops(given: Mapping[str, Any], defaults: Mapping[str, Any], owner: str) -> None:
    """Refuse milestones that are not in increasing order, and options without effect."""
    milestones = given.get("milestones", (1.0,))
    rising = list(milestones) == sorted(set(milestones))
    if not (milestones and rising and all(epoch in _MILESTONE for epoch in milestones)):
        raise ValueError(
            f"Received: milestones={milestones} for {owner}. Expected: increasing epochs above 0, such as 30,60,80."
        )
    if given.get("every") and "milestones" in given and milestones != defaults["milestones"]:
        raise ValueError(
            f"Received: every={given['every']} with milestones={milestones} for {owner}. Expected: one of them."
        )
    for name, needed in (("floor_rule", "floor"), ("monitor_mode", "monitor")):
        if given.get(name, defaults.get(name)) != defaults.get(name) and not given.get(needed):
            raise ValueError(
                f"Received: {name}={given[name]} for {owner}, without {needed}. Expected: both, or neither."
            )


SCHEDULES = BuilderTable(
    "schedule",
    {name: f"ddl.training.optimization.schedule_shapes:{name}" for name in _SHAPES}
    | {"plateau": "ddl.training.optimization.monitor:Plateau"},
    ranges={
        "factor": Range(0, 1, above=True, below=True),
        "final_factor": Range(0, 1),
        "min_factor": Range(0, 1, below=True),
        "power": Range(0, above=True),
        "patience": Range(1),
        "cooldown": Range(0),
        "min_delta": Range(0),
        "every": Range(0),
        "floor": Range(0),
    },
    choices={"floor_rule": FLOOR_RULES, "monitor_mode": MODES},
    rule=_check_drops,
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
        warmup_epochs: epochs over which the rate rises from its start to the full rate.
        warmup_from: the rate at the start of the warm-up; None is the base rate, without effect on one rank.
        warmup_shape: "linear" rises at every step, "staircase" at the start of each epoch.
        epochs: total number of epochs, including those before a resume.
        options: options from `SCHEDULES.options(name)`.
    """

    name: str
    learning_rate: float
    steps_per_epoch: int
    epochs: int
    warmup_epochs: float = 0.0
    warmup_from: float | None = None
    warmup_shape: str = "linear"
    scaling: str = "none"
    ranks: float = 1
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the options and their ranges."""
        object.__setattr__(self, "options", SCHEDULES.check(self.name, **self.options))
        check_ranges(vars(self), _COURSE_RANGES, f"schedule {self.name}")
        check_choice("warmup_shape", self.warmup_shape, WARMUPS)
        scale_factor(self.scaling, self.ranks)

    @property
    def full_rate(self) -> float:
        """The base learning rate, scaled to all ranks."""
        return self.learning_rate * scale_factor(self.scaling, self.ranks)

    @property
    def warmup_steps(self) -> int:
        """Steps of the warm-up."""
        return round(self.warmup_epochs * self.steps_per_epoch)

    def warmed(self, steps: Any, xp: ModuleType) -> Any:
        """Return the completed fraction of the warm-up, 0 to 1."""
        length = self.warmup_steps
        if not length:
            return xp.ones_like(steps)
        if self.warmup_shape == "staircase":
            steps = xp.floor(steps / self.steps_per_epoch) * self.steps_per_epoch
        return xp.minimum(steps / length, 1.0)

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
    start = course.learning_rate if course.warmup_from is None else course.warmup_from
    rate = start + (course.full_rate - start) * course.warmed(steps, xp)
    if course.name == "plateau":
        return rate
    return rate * SCHEDULES.load(course.name)(steps, course, xp, **course.options)


def needs_length(name: str) -> bool:
    """Return whether the schedule depends on the total number of epochs."""
    SCHEDULES.find(name)
    return name in _NEED_LENGTH
