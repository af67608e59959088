"""Workers in virtual time: the real server with workers of any speed, that stall, die and join, in milliseconds.

    simulation = Simulation(state, gradient, [VirtualWorker("fast", 1.0), VirtualWorker("slow", 5.0)])
    simulation.run_epoch(0)
    simulation.now  # seconds that the epoch would have taken

Events happen one after the other, in the order of their times. No thread, no sleep, no Ray.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ddl.asynchronous.epoch_leases import Lease
from ddl.asynchronous.server_state import Answer, Push, ServerState, Snapshot

Gradient = Callable[[Lease, Snapshot], Push]


@dataclass(frozen=True)
class VirtualWorker:
    """A worker.

    Attributes:
        name: unique among all workers.
        lease_s: seconds for a lease, or a function that draws them.
        joins_s: time at which it asks for its first lease.
        dies_s: time at which it is killed.
        stalls: (start, length) of times in which it is stopped; it continues with the lease that it had.
    """

    name: str
    lease_s: float | Callable[[], float]
    joins_s: float = 0.0
    dies_s: float = math.inf
    stalls: Sequence[tuple[float, float]] = ()

    def end_of(self, begin: float) -> float:
        """Return when a lease is finished that begins at this time."""
        seconds = self.lease_s() if callable(self.lease_s) else self.lease_s
        end = begin + seconds
        for start, length in sorted(self.stalls):
            if start < end and start + length > begin:
                end += start + length - max(start, begin)
        return end


@dataclass
class Simulation:
    """Drives a server with virtual workers.

    Attributes:
        gradient: computes what a worker pushes.
        notice_s: seconds after which the server knows that a worker is dead.
        now: virtual seconds since the begin.
        answers: how often a push got each answer.
    """

    state: ServerState
    gradient: Gradient
    workers: Sequence[VirtualWorker]
    notice_s: float = 1.0
    now: float = 0.0
    answers: dict[str, int] = field(default_factory=dict)
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _idle: list[VirtualWorker] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        """Plan joins and deaths."""
        for worker in self.workers:
            self._at(worker.joins_s, lambda worker=worker: self._ask(worker))  # type: ignore[misc]
            if worker.dies_s < math.inf:
                self._at(worker.dies_s + self.notice_s, lambda worker=worker: self._bury(worker))  # type: ignore[misc]

    def run_epoch(self, epoch: int) -> None:
        """Train an epoch.

        Raises:
            RuntimeError: nobody is left to finish it.
        """
        self.state.open_epoch(epoch)
        self._wake()
        while not self.state.book.is_complete:
            if not self._events:
                raise RuntimeError(
                    f"No worker is left at {self.now:g} s to finish epoch {epoch + 1}."
                )
            time, _, action = heapq.heappop(self._events)
            self.now = max(self.now, time)
            action()

    def _at(self, time: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._order), action))

    def _ask(self, worker: VirtualWorker) -> None:
        """Let a worker take a lease, if there is one."""
        if self.now >= worker.dies_s:
            return
        lease = self.state.next(worker.name, self.now)
        if lease is None:
            self._idle.append(worker)
            return
        snapshot = self.state.read()
        end = worker.end_of(self.now)
        if end < worker.dies_s:
            self._at(end, lambda: self._push(worker, lease, snapshot))
        self._at(self.now + self.state.book.timeout_s, self._wake)

    def _push(self, worker: VirtualWorker, lease: Lease, snapshot: Snapshot) -> None:
        push = self.gradient(lease, snapshot)
        answer: Answer = self.state.push(
            worker.name, lease.number, snapshot.version, push, self.now
        )
        self.answers[answer.state] = self.answers.get(answer.state, 0) + 1
        self._ask(worker)
        self._wake()

    def _bury(self, worker: VirtualWorker) -> None:
        self.state.gone(worker.name)
        self._wake()

    def _wake(self) -> None:
        """Let the workers ask again that got nothing."""
        idle, self._idle = self._idle, []
        for worker in idle:
            self._ask(worker)
