"""What the server of asynchronous training decides, and the state that it alone changes. No TensorFlow, no Ray.

The weights are behind a small protocol, so the same server runs with a Keras model in a Ray actor, and with NumPy in
virtual time.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ddl.asynchronous.ages import AgeRules
from ddl.asynchronous.epoch_leases import Lease, leases_before, position_after
from ddl.asynchronous.leases import Counts, LeaseBook
from ddl.data.order import Position, SampleOrder

Arrays = Sequence[np.ndarray]


@dataclass(frozen=True)
class Push:
    """What a worker returns for a lease.

    Attributes:
        gradients: of each trained weight; None where there is none.
        statistics: mean and variance of the lease's batch for each moving statistic.
        metrics: the metrics' variables after this lease alone.
        loss: mean over the lease's samples.
    """

    gradients: Sequence[np.ndarray | None]
    statistics: Arrays = ()
    metrics: Arrays = ()
    loss: float = 0.0


class Weights(Protocol):
    """The weights that the server changes."""

    def apply(self, push: Push, weight: float, step: int) -> None:
        """Make one update.

        Args:
            push: gradients and statistics.
            weight: factor of the update, 1 for a whole global batch.
            step: steps of the run that are complete, of which the learning rate is a function.
        """

    def read(self) -> list[np.ndarray]:
        """Return a copy of all weights, trained and moving ones, between two updates."""


class UpdateLog(Protocol):
    """Gets a line for each update."""

    def write(self, update: Update) -> None:
        """Write a line."""


@dataclass(frozen=True)
class Update:
    """One update, as the log has it."""

    lease: Lease
    read: int
    written: int
    worker: str
    weight: float
    push: Push
    weights: Arrays  # after it


@dataclass(frozen=True)
class Snapshot:
    """All weights at one version. The arrays are read-only: copy them before changing one in place."""

    version: int
    arrays: list[np.ndarray]


@dataclass(frozen=True)
class Answer:
    """What became of a push.

    Attributes:
        state: "applied"; "known": the lease was applied before; "expired": it is not this worker's any more; "too old":
            the lease goes back; "not finite": the loss or a gradient is NaN or infinite, and the run ends.
        version: of the weights now.
    """

    state: str
    version: int


@dataclass
class EpochNumbers:
    """Sums over the updates of an epoch."""

    updates: int = 0
    ages: int = 0
    oldest: int = 0
    before: Counts = field(default_factory=Counts)  # the book's counts when the epoch began
    metrics: list[np.ndarray] = field(default_factory=list)  # sums of the metrics' variables


class ServerState:
    """One writer: leases, versions, weights and sums of metrics. Call it from one thread only.

    A version is the number of leases applied since the run began, so version, epoch and step determine each other at
    whole steps, and a run of another mode has one, too.
    """

    def __init__(
        self,
        weights: Weights,
        order: SampleOrder,
        rules: AgeRules,
        timeout_s: float,
        *,
        log: UpdateLog | None = None,
        start: Position = Position(),  # noqa: B008
    ) -> None:
        """Begin at a position, with the weights of that position. Call `open_epoch` before the first lease."""
        self.order, self.rules = order, rules
        self.version = leases_before(order, start)
        self.book = LeaseBook(order, timeout_s, rules.most_open)
        self.numbers = EpochNumbers()
        self.not_finite: Lease | None = None
        self._weights, self._log = weights, log
        self._snapshot: Snapshot | None = None

    @property
    def position(self) -> Position:
        """Whole steps' worth of the applied leases. After the last one of an epoch it is the next epoch's start."""
        return position_after(self.order, self.version)

    def open_epoch(self, epoch: int, applied: Collection[int] = (), metrics: Arrays = ()) -> None:
        """Begin an epoch, without the leases that are applied already, with the sums of metrics over these."""
        self.book.open_epoch(epoch, applied)
        self.numbers = EpochNumbers(
            before=Counts(**vars(self.book.counts)),
            metrics=[np.array(m, np.float64) for m in metrics],
        )

    def next(self, worker: str, now: float) -> Lease | None:
        """Hand out a lease; None: nothing to compute now."""
        return None if self.not_finite is not None else self.book.next(worker, now)

    def read(self) -> Snapshot:
        """Return all weights of the present version: never a mixture of two."""
        if self._snapshot is None or self._snapshot.version != self.version:
            arrays = [np.asarray(array) for array in self._weights.read()]
            for array in arrays:
                array.setflags(write=False)
            self._snapshot = Snapshot(self.version, arrays)
        return self._snapshot

    def push(self, worker: str, number: int, read: int, push: Push, now: float) -> Answer:
        """Apply a worker's gradient, or say why not.

        Args:
            worker: its name.
            number: of its lease.
            read: version of the weights that the gradient was computed on.
            push: the result.
            now: seconds of the clock of `next`.

        Raises:
            ValueError: the version is one of the future.
        """
        if not 0 <= read <= self.version:
            raise ValueError(
                f"Received: a gradient of version {read} from {worker}. Expected: 0 to {self.version}, the present one."
            )
        self.book.expire(now)
        if not self.book.holds(number, worker):
            return Answer(self.book.settle(number, worker), self.version)
        age = self.version - read
        if self.rules.too_old(age):
            self.book.drop(number)
            return Answer("too old", self.version)
        lease = self.book.lease(number)
        if not _is_finite(push):
            self.not_finite = lease
            return Answer("not finite", self.version)
        self.book.settle(number, worker)
        self._apply(lease, worker, read, push)
        return Answer("applied", self.version)

    def gone(self, worker: str) -> list[Lease]:
        """Take back, and return, the leases of a worker that is gone."""
        return self.book.gone(worker)

    def epoch_results(self) -> dict[str, float]:
        """Return mean and largest age of the epoch's updates, and the leases that were given again, for the history."""
        numbers, counts = self.numbers, self.book.counts
        return {
            "staleness_mean": numbers.ages / max(1, numbers.updates),
            "staleness_max": float(numbers.oldest),
            **{
                name: float(count - getattr(numbers.before, name))
                for name, count in vars(counts).items()
            },
        }

    def _apply(self, lease: Lease, worker: str, read: int, push: Push) -> None:
        age = self.version - read
        weight = self.rules.weight(lease.share, age)
        self._weights.apply(push, weight, self._global_step())
        self.version += 1
        self.numbers.updates += 1
        self.numbers.ages += age
        self.numbers.oldest = max(self.numbers.oldest, age)
        self._add(push.metrics)
        if self._log is not None:
            weights = self.read().arrays
            self._log.write(Update(lease, read, self.version, worker, weight, push, weights))

    def _global_step(self) -> int:
        """Return the steps of the run that are complete, of which the learning rate is a function."""
        position = self.position
        return position.epoch * self.order.steps_per_epoch + position.step

    def _add(self, metrics: Arrays) -> None:
        if not self.numbers.metrics:
            self.numbers.metrics = [np.zeros(np.shape(part), np.float64) for part in metrics]
        for total, part in zip(self.numbers.metrics, metrics, strict=True):
            total += part

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint stores, as JSON values."""
        return {"version": self.version, **self.book.state()}


def _is_finite(push: Push) -> bool:
    if not math.isfinite(push.loss):
        return False
    return all(np.isfinite(part.sum()) for part in push.gradients if part is not None)
