"""What the training loop asks for: the next steps, and what they amount to.

The loop (`ddl.training.loop`) knows epochs, checkpoints, stop requests and progress. What happens within a step it
leaves to one object with the methods of `Steps`. Supervised training (`ddl.training.steps.supervised`) is the only
implementation today; docs/decisions/0009-what-a-step-does.md shows how other kinds of training fit in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import keras


@dataclass(frozen=True)
class Taken:
    """Steps that one call has taken.

    Attributes:
        count: number of steps, 1 or more.
        logs: losses and metrics by name, as this rank knows them after the last of these steps. Tensors: reading one
            waits for a GPU.
    """

    count: int
    logs: Mapping[str, Any]


class Steps(Protocol):
    """Takes the steps of a run. Every rank has one, and all ranks call each method together.

    Used as a context manager around the whole run: entering opens the data and gives all ranks the same state.

    Attributes:
        model: the model that checkpoints and pictures show.
        first_step_s: seconds of the first step, most of them for its tracing; 0 before.
        validation_steps: number of steps of a validation.
        learning_rate: of the next step, for the history.
    """

    model: keras.Model
    first_step_s: float
    validation_steps: int

    @property
    def learning_rate(self) -> float: ...

    def __enter__(self) -> Steps:
        """Open the data and start from rank 0's state."""
        ...

    def __exit__(self, *error: Any) -> bool | None:
        """Close the data."""
        ...

    def begin_epoch(self) -> None:
        """Reset what is reported, for the epoch and the step at which the run stands."""
        ...

    def take(self, most: int) -> Taken:
        """Take the next steps of the epoch: at least one, at most `most`, none beyond the epoch's end."""
        ...

    def check_losses(self, last_good: Callable[[], str]) -> None:
        """Refuse losses since the last call that are NaN or infinite; the message ends with what `last_good` returns.

        Raises:
            Diverged: on all ranks, with the step, the rank and its samples.
        """
        ...

    def results(self) -> dict[str, Any]:
        """Return losses and metrics since `begin_epoch` or `validate`, over the samples of all ranks."""
        ...

    def validate(self) -> Iterator[Mapping[str, Any]]:
        """Take the steps of a validation, and yield this rank's logs after each."""
        ...

    def training_state(self) -> AbstractContextManager[None]:
        """Hold, inside a `with` block, what a checkpoint of the epoch keeps, also in the middle of a validation."""
        ...

    def end_epoch(self) -> None:
        """Make equal on all ranks what an epoch has left different, and compare the ranks."""
        ...

    def finish(self) -> None:
        """Give the model its final weights, after the last epoch."""
        ...
