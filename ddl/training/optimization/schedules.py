"""The one table of schedules: the learning rate as a function of the step. Listing and checking load no framework.

A step is what the optimizer counts and a checkpoint keeps. Nothing else decides, so a resumed run goes on as it was.
With gradient accumulation Keras asks a schedule for micro-batches, not for updates: a step is a micro-batch here.
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
from ddl.training.optimization.schedule_shapes import Span

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
    """Refuse milestones that do not rise."""
    milestones = given.get("milestones", (1.0,))
    rising = list(milestones) == sorted(set(milestones))
    if not (milestones and rising and all(one in _MILESTONE for one in milestones)):
        raise ValueError(
            f"Received: milestones={milestones} for {owner}. Expected: epochs above 0 that rise, such as 30,60,80."
        )


SCHEDULES = BuilderTable(
    "schedule",
    {name: f"ddl.training.optimization.schedule_shapes:{name}" for name in _SHAPES}
    | {"plateau": "ddl.training.optimization.plateau:plateau_factor"},
    hidden=("mode",),  # depends on the monitored value
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
"""Name -> shape. "plateau" also depends on the history: constant, times a factor that is set at each epoch."""


@dataclasses.dataclass(frozen=True)
class Course:
    """All that the learning rate of a run depends on, besides the step.

    Attributes:
        name: one of `SCHEDULES`.
        learning_rate: the full rate of one rank, from which the warm-up starts.
        scaling: "linear", "sqrt" or "none": what the full rate of several ranks is.
        ranks: how many; a fraction where the global batch is no multiple of one rank's.
        steps_per_epoch: steps (micro-batches) in one epoch.
        warmup_epochs: in which the rate rises in a straight line from one rank's to that of all; one rank has none.
        epochs: of the whole training, also of a resumed one.
        options: those of `SCHEDULES.options(name)`.
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
        """Refuse what cannot be right."""
        object.__setattr__(self, "options", SCHEDULES.check(self.name, **self.options))
        check_ranges(vars(self), _COURSE_RANGES, f"schedule {self.name}")
        scale_factor(self.scaling, self.ranks)

    @property
    def span(self) -> Span:
        """Return how long things last, in steps."""
        return Span(
            epoch=self.steps_per_epoch,
            warmup=round(self.warmup_epochs * self.steps_per_epoch),
            total=self.epochs * self.steps_per_epoch,
        )


def learning_rate_at(step: Any, course: Course) -> Any:
    """Return the learning rate with which the optimizer takes these steps (0 is the first): float64, of their shape.

    A "plateau" is taken to have factor 1: multiply by `plateau_factor` of the history.
    """
    return compute_rate(np.asarray(step, np.float64), course, np)


def compute_rate(steps: Any, course: Course, xp: ModuleType) -> Any:
    """Return `learning_rate_at` by `numpy` or `tensorflow`.

    Args:
        steps: float64, which holds every whole number up to 2**53.
        course: of the run.
        xp: the module that computes.
    """
    full = course.learning_rate * scale_factor(course.scaling, course.ranks)
    warmed = course.span.warmed(steps, xp)
    rate = course.learning_rate + (full - course.learning_rate) * warmed
    if course.name == "plateau":
        return rate
    return rate * SCHEDULES.load(course.name)(steps, course.span, xp, **course.options)


def needs_length(name: str) -> bool:
    """Return whether the rate of a step depends on how many epochs there will be."""
    SCHEDULES.find(name)
    return name in _NEED_LENGTH
