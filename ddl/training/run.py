"""The state of a run: its position, history and clocks, and the facts that a checkpoint stores."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ddl.data.order import Position, SampleOrder
from ddl.data.preprocessing import Preprocessing
from ddl.training.batch_results import GradientNorms
from ddl.training.ending import why_over
from ddl.training.plan.plan import Plan

Epoch = dict[str, Any]


@dataclass
class Run:
    """The state of a run. Equal on all ranks except for the clocks."""

    plan: Plan
    order: SampleOrder
    reference_batch_size: (
        int  # that `learning_rate` is for: one rank's at the first start, or a given global one
    )
    data_fingerprint: str
    preprocessing: Preprocessing  # stored in checkpoints, to use their models later
    position: Position = field(default_factory=Position)  # the next step to take
    history: list[Epoch] = field(default_factory=list)
    seconds_before: float = 0.0  # that an earlier process spent on the current epoch
    main_output: str = ""  # its name, for a model with several outputs
    batch_has_changed: bool = False  # the resumed checkpoint has another global batch size
    layers: str = ""  # the model's table of layers; on rank 0 only
    graph: str = ""  # the model for Graphviz; on rank 0, if the plan asks for it
    ends_early: bool = False  # a callback has ended the run
    class_weights: np.ndarray | None = None  # in the training loss
    test_before: dict[str, float] = field(
        default_factory=dict
    )  # results on test data before training
    compiled: bool | None = None  # whether XLA compiles the steps; None: not decided yet
    gradient_norms: GradientNorms = field(default_factory=GradientNorms)  # of the current epoch
    mode_facts: dict[str, Any] = field(default_factory=dict)  # what a mode of training keeps
    _epoch_start: float | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Steps per epoch, which use every sample once unless the plan cuts them."""
        return self.order.steps_per_epoch

    @property
    def effective_ranks(self) -> float:
        """The global batch size divided by the reference batch size; scales the learning rate."""
        return self.order.global_batch_size / self.reference_batch_size

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done, a callback or patience has ended the run, or its target is reached."""
        return self.ends_early or why_over(self.plan, self.history) is not None

    @property
    def validates(self) -> bool:
        """Whether the current epoch ends with a validation."""
        number, plan = self.position.epoch + 1, self.plan
        if not plan.has_validation:
            return False
        return number % plan.validate_every_epochs == 0 or number == plan.epochs

    @property
    def epoch_seconds(self) -> float:
        """Time spent on the current epoch, by this process and earlier ones, since the previous epoch ended."""
        now = time.monotonic()
        return self.seconds_before + now - (self._epoch_start or now)

    def begin_epoch(self) -> None:
        """Start the clock of this process's first epoch; each later clock starts when the previous epoch ends."""
        self._epoch_start = self._epoch_start or time.monotonic()

    def advance(self, steps: int) -> None:
        """Advance the position by the steps taken."""
        self.position = Position(self.position.epoch, self.position.step + steps)

    def end_epoch(
        self, logs: Mapping[str, Any], learning_rate: float, samples_per_s: float
    ) -> None:
        """Add the finished epoch to the history; the first one has the results before training, too.

        `samples_per_s` is over all ranks, in the steps that this process took in it; 0 without any.
        """
        logs = dict(logs) if self.history else {**logs, **self.test_before}
        self.history.append(
            {
                "epoch": self.position.epoch + 1,
                "seconds": round(self.epoch_seconds, 3),
                **({"samples_per_s": float(f"{samples_per_s:.5g}")} if samples_per_s else {}),
                "learning_rate": learning_rate,
                **{n: v if isinstance(v, str) else float(v) for n, v in self.named(logs).items()},
            }
        )
        self.position = Position(self.position.epoch + 1)
        self.seconds_before, self.gradient_norms = 0.0, GradientNorms()
        self._epoch_start = time.monotonic()

    def named(self, logs: Mapping[str, Any]) -> dict[str, Any]:
        """Return losses and metrics under the plan's names, without the output's name that Keras puts first.

        They are sorted by name, as Keras passes them to callbacks, so lines and columns of a run keep their order.
        """
        logs = dict(sorted(logs.items()))
        if not self.main_output:
            return logs
        metrics = {f"{self.main_output}_{name}": name for name in self.plan.metric}
        metrics |= {f"val_{long}": f"val_{name}" for long, name in metrics.items()}
        return {metrics.get(name, name): value for name, value in logs.items()}

    def values(self, name: str) -> list[float]:
        """Return a quantity of every finished epoch that has it: not all may have been validated."""
        return [epoch[name] for epoch in self.history if name in epoch]

    def facts(self) -> dict[str, Any]:
        """Return the facts that a checkpoint stores, as JSON values."""
        return {
            **({"test_before": self.test_before} if self.test_before else {}),
            "plan": self.plan.to_dict(),
            "order": self.order.state(self.position),
            "position": {"epoch": self.position.epoch, "step": self.position.step},
            "reference_batch_size": self.reference_batch_size,
            "data_fingerprint": self.data_fingerprint,
            "preprocessing": self.preprocessing.to_dict(),
            "compiled": self.compiled,
            "seconds_before": self.epoch_seconds if self.position.step else 0.0,
            **self.gradient_norms.facts(),
            **self.mode_facts,
            "history": self.history,
        }
