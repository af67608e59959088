"""Leases: parts of global batches, which a server hands out to workers that come and go. No TensorFlow, no Ray.

A lease is what one of N ranks has in one step of synchronous training: part r of the step's global batch. Worker and
time do not decide which samples it has, so an epoch applies every sample once, whoever computes it.

    book = LeaseBook(order, timeout_s=60)
    book.open_epoch(0)
    lease = book.next("worker-1", now=0.0)
    book.settle(lease.number, "worker-1")  # "apply"
"""

from __future__ import annotations

import bisect
import logging
import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from ddl.asynchronous.epoch_leases import EpochLeases, Lease
from ddl.data.order import SampleOrder

logger = logging.getLogger("ddl")

_MOST_DOUBLINGS = 16
_LATE_TOLD = 2
"""Once may be a worker that was stopped."""


@dataclass
class _Holder:
    worker: str
    deadline: float


@dataclass
class Counts:
    """What happened to leases, since the book began."""

    dropped: int = 0  # their gradient was too old
    expired: int = 0  # not returned in time
    lost: int = 0  # their worker was gone


@dataclass
class LeaseBook:
    """Who computes what. One writer: the server; it is not safe to call it from several threads.

    Times are seconds of any clock that does not go back.

    Attributes:
        timeout_s: seconds after which a lease that is not returned is given to another worker; twice as many after each
            time that this lease was late, so that samples do not go round for ever where all workers are slow.
        most_open: leases that may be open at once; None for no limit. A bound on the age of gradients needs one:
            of more open leases, some would come back too old.
    """

    order: SampleOrder
    timeout_s: float
    most_open: int | None = None
    counts: Counts = field(default_factory=Counts)
    _leases: EpochLeases | None = None
    _applied: set[int] = field(default_factory=set)
    _open: dict[int, _Holder] = field(default_factory=dict)
    _returned: list[int] = field(default_factory=list)  # sorted: the oldest comes first
    _last_holder: dict[int, str] = field(default_factory=dict)  # of returned leases
    _late: dict[int, int] = field(default_factory=dict)  # how often a lease was late
    _has_told: bool = False  # that the time is short
    _fresh: int = 0  # the next number that was never handed out
    _prefix: int = 0  # all numbers of the epoch before it are applied
    _limit: float = math.inf  # no lease from here on is handed out

    def open_epoch(self, epoch: int, applied: Collection[int] = ()) -> None:
        """Begin to hand out the leases of an epoch, without those that are applied already."""
        if self._leases is not None and not self.is_complete:
            raise ValueError(
                f"Received: epoch {epoch + 1}. Expected: no new epoch before all leases of epoch "
                f"{self._leases.epoch + 1} are applied."
            )
        leases = EpochLeases(self.order, epoch)
        wrong = [number for number in applied if not leases.first <= number < leases.end]
        if wrong:
            raise ValueError(
                f"Received: lease {wrong[0]} as applied in epoch {epoch + 1}. Expected: {leases.first} to "
                f"{leases.end - 1}."
            )
        self._leases, self._applied, self._fresh = leases, set(applied), leases.first
        self._open, self._returned, self._last_holder, self._late = {}, [], {}, {}
        self._prefix = leases.first
        self._limit = math.inf

    @property
    def is_complete(self) -> bool:
        """Whether all leases of the epoch are applied."""
        leases = self._epoch()
        return len(self._applied) == leases.end - leases.first

    @property
    def applied(self) -> frozenset[int]:
        """Numbers of the epoch's leases that are applied."""
        return frozenset(self._applied)

    @property
    def whole_steps(self) -> int:
        """Steps of the epoch, from its first on, whose leases are all applied."""
        leases = self._epoch()
        if self.is_complete:
            return self.order.steps_per_epoch
        while self._prefix in self._applied:
            self._prefix += 1
        return (self._prefix - leases.first) // self.order.size

    @property
    def is_whole(self) -> bool:
        """Whether the applied leases are those of whole steps from the first on, so that any mode can go on."""
        return self.is_complete or len(self._applied) == self.whole_steps * self.order.size

    @property
    def open_leases(self) -> dict[int, str]:
        """Number of each lease that a worker has -> the worker."""
        return {number: holder.worker for number, holder in self._open.items()}

    def lease(self, number: int) -> Lease:
        """Return a lease of the epoch."""
        return self._epoch().lease(number)

    def pause(self) -> None:
        """Hand out only what completes the steps that have begun. `is_whole` is true once these are applied."""
        leases = self._epoch()
        begun = -(-(self._fresh - leases.first) // self.order.size)
        self._limit = leases.first + begun * self.order.size

    def go_on(self) -> None:
        """End a pause."""
        self._limit = math.inf

    def next(self, worker: str, now: float) -> Lease | None:
        """Hand out a lease: one that came back before a fresh one. None: there is nothing for this worker now.

        A worker does not get again what came back from it while there is anything else.
        """
        self.expire(now)
        if self._leases is None or len(self._open) >= (self.most_open or math.inf):
            return None
        number = self._choose(worker)
        if number is None:
            return None
        allowed = self.timeout_s * 2 ** min(self._late.get(number, 0), _MOST_DOUBLINGS)
        self._open[number] = _Holder(worker, now + allowed)
        return self._leases.lease(number)

    def holds(self, number: int, worker: str) -> bool:
        """Return whether the worker has this lease now."""
        return number in self._open and self._open[number].worker == worker

    def settle(self, number: int, worker: str) -> str:
        """Take a lease back with its result, and say whether to apply that.

        Returns:
            "apply": the worker has the lease, which counts as applied from now on; "known": it was applied before;
            "expired": it is not this worker's any more. A lease is applied at most once.
        """
        if self.holds(number, worker):
            del self._open[number]
            self._applied.add(number)
            return "apply"
        leases = self._epoch()
        return "known" if number < leases.first or number in self._applied else "expired"

    def drop(self, number: int) -> None:
        """Take a lease back whose result is too old: another one will be computed."""
        self.counts.dropped += 1
        self._give_back(number)

    def gone(self, worker: str) -> list[Lease]:
        """Take back, and return, the leases of a worker that is gone."""
        lost = [number for number, holder in self._open.items() if holder.worker == worker]
        self.counts.lost += len(lost)
        return [self._give_back(number) for number in lost]

    def expire(self, now: float) -> list[Lease]:
        """Take back, and return, the leases that were not returned in time."""
        late = [number for number, holder in self._open.items() if holder.deadline <= now]
        self.counts.expired += len(late)
        for number in late:
            self._late[number] = self._late.get(number, 0) + 1
            if self._late[number] == _LATE_TOLD and not self._has_told:
                self._has_told = True
                logger.warning(
                    "The same samples came back late twice: lease_timeout_s=%g is short for these workers. It is "
                    "doubled for such samples each time; a larger --lease-timeout-s loses no work.",
                    self.timeout_s,
                )
        return [self._give_back(number) for number in late]

    def state(self) -> dict[str, Any]:
        """Return the epoch and its applied leases as JSON values: ranges of numbers, [first, end]."""
        ranges: list[list[int]] = []
        for number in sorted(self._applied):
            if ranges and ranges[-1][1] == number:
                ranges[-1][1] += 1
            else:
                ranges.append([number, number + 1])
        return {"epoch": self._epoch().epoch, "applied": ranges}

    def _epoch(self) -> EpochLeases:
        if self._leases is None:
            raise RuntimeError("No epoch is open: call open_epoch first.")
        return self._leases

    def _choose(self, worker: str) -> int | None:
        """Return a number to hand out, and take it out of those that wait."""
        others = (n for n in self._returned if self._last_holder.get(n) != worker)
        number = next(others, None)
        if number is None:
            number = self._next_fresh()
        if number is None and self._returned:
            number = self._returned[0]
        if number is not None and number in self._last_holder:
            self._returned.remove(number)
            del self._last_holder[number]
        return number

    def _next_fresh(self) -> int | None:
        end = self._epoch().end
        while self._fresh < end and self._fresh in self._applied:
            self._fresh += 1
        if self._fresh >= min(end, self._limit):
            return None
        self._fresh += 1
        return self._fresh - 1

    def _give_back(self, number: int) -> Lease:
        self._last_holder[number] = self._open.pop(number).worker
        bisect.insort(self._returned, number)
        return self._epoch().lease(number)


def numbers_in(ranges: Collection[Collection[int]]) -> set[int]:
    """Return the numbers of the ranges in a book's state."""
    return {number for first, end in ranges for number in range(first, end)}
