"""The interface through which the training loop takes steps.

The loop (`ddl.training.loop`) knows epochs, checkpoints, stop requests and progress. An object with the methods of
`Steps` computes the steps: those of supervised training (`ddl.training.steps.supervised`), or those of an optimizer
over all samples (`ddl.training.steps.second_order`). docs/decisions/0009-what-a-step-does.md shows how others fit in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np

from ddl.training.batch_results import Batch

Part = tuple[np.ndarray, np.ndarray]
"""Indices of samples (n,), and their predictions (n, ...), channel last, as the network's first output gives them."""


@dataclass(frozen=True)
class Taken:
    """The result of one call: the number of steps taken, and this rank's losses and metrics after the last of them.

    The logs are tensors; reading one waits for a GPU. Asynchronous training may return 0 steps, while it waits for its
    workers, and why the run cannot go on.
    """

    count: int
    logs: Mapping[str, Any]
    stop: str = ""


class Steps(Protocol):
    """Takes the steps of a run. Every rank has one, and all ranks call each method together."""

    model: keras.Model  # saved in checkpoints
    first_step_s: float  # seconds of the first step, mostly for tracing; 0 before it
    validation_steps: int

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step, for the history."""

    def __enter__(self) -> Steps:
        """Open the data, and give all ranks the state of rank 0."""

    def __exit__(self, *error: Any) -> bool | None:
        """Close the data."""

    def begin_epoch(self) -> None:
        """Reset losses and metrics, for an epoch that starts at the run's position."""

    def take(self, most: int) -> Taken:
        """Take the next steps of the epoch: between 1 and `most`, none beyond the end of the epoch."""

    def check_losses(self, last_good: Callable[[], str]) -> None:
        """Refuse losses since the last call that are NaN or infinite; the message ends with what `last_good` returns.

        Raises:
            Diverged: on all ranks, with the step, the rank and its samples.
        """

    def batches(self) -> list[Batch]:
        """Return the results of the steps since the last call, if the plan logs them. Call it after `check_losses`."""

    def results(self) -> dict[str, Any]:
        """Return losses and metrics since `begin_epoch` or `validate`, over the samples of all ranks."""

    def validate(self) -> Iterator[Mapping[str, Any]]:
        """Evaluate all validation samples once, and yield this rank's logs after each step.

        Weights that have a moving average are replaced by it meanwhile.
        """

    def outputs(self) -> Iterator[list[Part]]:
        """Yield the raw predictions of all validation samples, as `ddl.training.steps.outputs.Outputs.in_order` does.

        Weights are those of a validation.
        """

    def training_state(self) -> AbstractContextManager[None]:
        """Inside this `with` block, metrics and weights are those of training, even in the middle of a validation."""

    def end_epoch(self) -> None:
        """Average the variables that differ between ranks, then check that all ranks are equal."""

    def finish(self) -> None:
        """Give the model its final weights, after the last epoch."""
