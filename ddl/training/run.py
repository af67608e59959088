"""Where a training stands: what a checkpoint keeps, what its callbacks share, and how its epochs are named."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddl.data.order import Position, SampleOrder
from ddl.data.preprocessing import Preprocessing
from ddl.training.optimization.early_stopping import stop_epoch
from ddl.training.plan.plan import Plan

Epoch = dict[str, Any]


class Interrupted(Exception):
    """A training that was asked to stop, has written a checkpoint where there was something to keep, and waits."""

    def __init__(
        self, reason: str, checkpoint: Path | None = None, *, written: bool = False
    ) -> None:
        """Word it.

        Args:
            reason: what asked: a signal's name, the time limit.
            checkpoint: the newest one; None where nothing was trained yet.
            written: whether it was written just now. On a full disk it is an older one.
        """
        if checkpoint is None:
            state, remedy = "no step was taken", "starts it again"
        else:
            state = f"{checkpoint} is " + ("written" if written else "the last good checkpoint")
            remedy = "goes on from there"
        super().__init__(f"Stopped by {reason}: {state}. --resume auto {remedy}.")
        self.checkpoint = checkpoint


class Diverged(Exception):
    """A training whose loss or weights are no numbers any more."""


class Unsaved(Exception):
    """A training that is done, but whose model could not be written. Rank 0 alone knows."""


@dataclass
class Run:
    """A training on its way. Equal on all ranks but for the clocks.

    Attributes:
        plan: what is trained.
        order: who reads what, when.
        reference_batch_size: samples a step of one rank at the run's first start: what `learning_rate` is meant for.
        data_fingerprint: of the data.
        preprocessing: what these data do to a picture, for whoever uses a checkpoint later.
        position: the next step to take.
        history: the epochs that are done.
        seconds_before: what an earlier process spent on the epoch that is under way.
        main_output: of a model with several outputs, the name of the one that counts.
        batch_has_changed: whether the checkpoint that it resumes from has another global batch.
        ends_early: whether a callback has ended the training.
    """

    plan: Plan
    order: SampleOrder
    reference_batch_size: int
    data_fingerprint: str
    preprocessing: Preprocessing
    position: Position = field(default_factory=Position)
    history: list[Epoch] = field(default_factory=list)
    seconds_before: float = 0.0
    main_output: str = ""
    batch_has_changed: bool = False
    ends_early: bool = False
    _epoch_start: float | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which every sample is seen once."""
        return self.order.steps_per_epoch

    @property
    def effective_ranks(self) -> float:
        """How many times the reference batch a step is: what the learning rate is scaled by."""
        return self.order.global_batch_size / self.reference_batch_size

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done, a callback has ended the training, or too many epochs brought no progress."""
        plan = self.plan
        if self.ends_early or len(self.history) >= plan.epochs:
            return True
        return bool(plan.early_stopping_patience) and stop_epoch(
            self.values(plan.monitor),
            mode=plan.mode,
            patience=plan.early_stopping_patience,
            min_delta=plan.early_stopping_min_delta,
        )

    @property
    def epoch_seconds(self) -> float:
        """Time spent on the epoch under way, by this process and those before, since the one before it ended."""
        now = time.monotonic()
        return self.seconds_before + now - (self._epoch_start or now)

    def begin_epoch(self) -> None:
        """Start the clock of this process's first epoch; every other one's starts when the epoch before ends."""
        self._epoch_start = self._epoch_start or time.monotonic()

    def advance(self, steps: int) -> None:
        """Count steps that were taken."""
        self.position = Position(self.position.epoch, self.position.step + steps)

    def end_epoch(self, logs: Mapping[str, Any], learning_rate: float) -> Epoch:
        """Add an epoch to the history, and return it."""
        done: Epoch = {"epoch": self.position.epoch + 1, "seconds": round(self.epoch_seconds, 3)}
        done |= {"learning_rate": learning_rate}
        done |= {name: float(value) for name, value in self.named(logs).items()}
        self.history.append(done)
        self.position = Position(self.position.epoch + 1)
        self.seconds_before = 0.0
        self._epoch_start = time.monotonic()
        return done

    def named(self, logs: Mapping[str, Any]) -> dict[str, Any]:
        """Return losses and metrics by the plan's names: Keras puts the name of one of several outputs before them."""
        if not self.main_output:
            return dict(logs)
        metrics = {f"{self.main_output}_{name}": name for name in self.plan.metric}
        metrics |= {f"val_{long}": f"val_{name}" for long, name in metrics.items()}
        return {metrics.get(name, name): value for name, value in logs.items()}

    def values(self, name: str) -> list[float]:
        """Return a quantity of every epoch that is done."""
        return [epoch[name] for epoch in self.history]

    def facts(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, as JSON values."""
        return {
            "plan": self.plan.to_dict(),
            "order": self.order.state(self.position),
            "position": {"epoch": self.position.epoch, "step": self.position.step},
            "reference_batch_size": self.reference_batch_size,
            "data_fingerprint": self.data_fingerprint,
            "preprocessing": self.preprocessing.to_dict(),
            "seconds_before": self.epoch_seconds if self.position.step else 0.0,
            "history": self.history,
        }
