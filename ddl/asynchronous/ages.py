"""How much a gradient counts, by its share of the global batch and by its age. Pure arithmetic.

The age of a gradient is the number of updates between the version of the weights that it was computed on and the
update that applies it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ddl.ranges import check_choice

SCALINGS = ("inverse", "none")
_LINEAR = ("SGD", "TorchSGD")
"""Classes of optimizers whose step is the gradient times the rate."""
_SUMS = ("Adagrad", "TorchAdagrad", "Ftrl")
"""Those that divide by the squares of all gradients so far."""


@dataclass(frozen=True)
class AgeRules:
    """What the age of a gradient does.

    Attributes:
        workers: N, the parts of a global batch.
        max_staleness: age above which a gradient is not applied; None for 2N.
        scaling: "inverse" or "none", see `weight_of_push`.
    """

    workers: int
    max_staleness: int | None = None
    scaling: str = "inverse"

    def __post_init__(self) -> None:
        check_choice("staleness_scaling", self.scaling, SCALINGS)

    @property
    def bound(self) -> int:
        """The largest age that is applied."""
        return 2 * self.workers if self.max_staleness is None else self.max_staleness

    @property
    def most_open(self) -> int:
        """Leases that may be open at once: of more, some would come back too old."""
        return self.bound + 1

    def too_old(self, age: int) -> bool:
        """Return whether a gradient of this age goes back."""
        return age > self.bound

    def weight(self, share: float, age: int) -> float:
        """Return `weight_of_push` by these rules."""
        return weight_of_push(share, age, self.scaling, self.workers)


def weight_of_push(share: float, age: int, scaling: str, workers: int) -> float:
    """Return the factor of an update: what this gradient counts beside a whole global batch of age 0.

    Its share of the global batch, about 1/N, makes an epoch's updates add up to those of synchronous training. With N
    workers of equal speed the age is N - 1, so such a gradient counts in full; "inverse" divides an older one by
    (age + 1) / N.

    Args:
        share: samples of the lease divided by those of its step.
        age: updates since the weights were read.
        scaling: "inverse", or "none" for the share alone.
        workers: N.
    """
    if scaling == "none":
        return share
    return share * min(1.0, workers / (age + 1))


def step_factors(optimizer: str, weight: float) -> tuple[float, float]:
    """Return the factors of learning rate and gradient that make an update count `weight` of a whole global batch.

    An update with a lease is one with a batch that is smaller by the weight. The step of plain SGD, with or without
    momentum, is linear: its rate is scaled by the weight. Optimizers that divide by the size of recent gradients, or
    take their sign, do not notice a scaled gradient. The gradient of a smaller batch is noisier, so they divide by
    more, by the root of the weight where noise prevails: the other root scales the rate. Those that sum squares over
    all updates take a scaled gradient, and add up its squares to those of whole batches.

    Args:
        optimizer: name of its class.
        weight: share of the global batch, times what its age leaves.
    """
    if optimizer in _LINEAR:
        return weight, 1.0
    if optimizer in _SUMS:
        return 1.0, weight
    return math.sqrt(weight), 1.0
