"""Results of single batches, for logs. No TensorFlow here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Batch:
    """The result of one batch over all ranks.

    Attributes:
        loss: mean over its samples.
        gradient_norm: of the gradient that its update used, over all ranks; None where no update was made, because
            gradients are accumulated or a loss scale has skipped the step.
        accuracy: the run's first metric over the epoch so far; NaN without one.
    """

    loss: float
    gradient_norm: float | None
    accuracy: float


@dataclass
class GradientNorms:
    """Sum and number of the norms of an epoch's gradients. Equal on all ranks."""

    total: float = 0.0
    count: int = 0

    def note(self, batches: Sequence[Batch]) -> None:
        """Add those of the steps just taken."""
        norms = [batch.gradient_norm for batch in batches if batch.gradient_norm is not None]
        self.total += sum(norms)
        self.count += len(norms)

    def mean(self) -> dict[str, float]:
        """Return their mean under its name in the history; nothing without norms."""
        return {"gradient_norm": self.total / self.count} if self.count else {}

    def facts(self) -> dict[str, Any]:
        """Return what a checkpoint within an epoch stores."""
        return {"gradient_norms": [self.total, self.count]} if self.count else {}


def stored_norms(facts: Mapping[str, Any]) -> GradientNorms:
    """Return the norms in a checkpoint's facts."""
    return GradientNorms(*facts.get("gradient_norms", ()))
