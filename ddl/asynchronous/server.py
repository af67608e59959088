"""The server of a run, in an actor of Ray's that does one call at a time: the one writer of the weights."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from ddl.asynchronous.ages import AgeRules
from ddl.asynchronous.audit.log import Log, start_line
from ddl.asynchronous.epoch_leases import Lease, leases_before
from ddl.asynchronous.job import Job
from ddl.asynchronous.server_state import Answer, Arrays, Push, ServerState, Snapshot
from ddl.data.order import Position


@dataclass(frozen=True)
class Whole:
    """Everything that a run goes on from, at whole steps: in the driver's memory, and in a checkpoint.

    Attributes:
        position: of the run.
        version: leases applied since the run began.
        arrays: all weights.
        slots: variables of the optimizer.
        updates: those that the optimizer has made; None after another mode, whose count it keeps.
        metrics: sums over the open epoch.
        state: for the checkpoint.
    """

    position: Position
    version: int
    arrays: Arrays
    slots: Arrays
    updates: int | None
    metrics: Arrays = ()
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """What the driver asks for several times a second.

    Attributes:
        version: leases applied since the run began.
        is_complete: whether the open epoch is.
        is_whole: whether the applied leases are those of whole steps.
        metrics: sums over the open epoch.
        not_finite: lease whose loss or gradient is NaN or infinite.
        workers: name -> (host, pid, name of its actor) of all that have ever computed for this server.
        applied_by: name -> leases applied.
    """

    version: int
    is_complete: bool
    is_whole: bool
    metrics: Arrays
    not_finite: Lease | None
    workers: dict[str, tuple[str, int, str]]
    applied_by: dict[str, int]


class Server:
    """Leases, weights and the log of one run. `ddl.asynchronous.server_state` decides."""

    def __init__(self) -> None:
        self._workers: dict[str, tuple[str, int, str]] = {}
        self._applied_by: dict[str, int] = {}
        self._over = False
        self._job: Job | None = None  # None: not ready

    def begin(self, job: Job, whole: Whole, checkpoint: str | None) -> None:
        """Build the model, and go on from `whole`. Call it first.

        Args:
            job: the run.
            whole: where it begins.
            checkpoint: file of the run directory that this is from; None for the initial weights.

        Raises:
            ValueError: the data that opens here is not the run's.
        """
        from ddl.asynchronous.keras_weights import KerasWeights, write_weights
        from ddl.distributed.state import model_state
        from ddl.distributed.state.variables import assign

        data, self._replica = job.open()
        plan, run = self._replica.run.plan, self._replica.run
        model = self._replica.model
        model_state.build_optimizer(model)
        write_weights(model, whole.arrays)
        assign(list(model.optimizer.variables), whole.slots)
        self._weights = KerasWeights(model, updates=whole.updates)
        rules = AgeRules(job.workers, plan.max_staleness, plan.staleness_scaling)
        self._log = Log(plan.run_dir)
        self._log.begin(
            start_line(
                *(dict(job.plan), data.fingerprint, run.order, whole.position),
                *(rules, checkpoint),
            )
        )
        self._state = ServerState(
            *(self._weights, run.order, rules, plan.lease_timeout_s),
            log=self._log,
            start=whole.position,
        )
        self._job = job

    def where(self) -> tuple[str, int]:
        """Return host and process number."""
        return socket.gethostname(), os.getpid()

    def job(self) -> Job | None:
        """Return what a worker needs to begin; None before `begin`."""
        return self._job

    def hello(self, worker: str, host: str, pid: int, actor: str) -> None:
        """Take note of a worker that is ready."""
        self._workers[worker] = (host, pid, actor)

    def open_epoch(
        self, epoch: int, applied: Collection[int], metrics: Arrays, history: list[dict[str, Any]]
    ) -> None:
        """Begin to hand out an epoch's leases. The history decides the factor of a plateau."""
        from ddl.training.build import follow_plateau

        run = self._replica.run
        run.history, run.position = history, Position(epoch)
        follow_plateau(run, self._replica.learning_rate)
        self._state.open_epoch(epoch, applied, metrics)

    def next(self, worker: str, ahead: bool = False) -> Lease | bool | None:
        """Return a lease; None for none now, False where the run is over.

        Args:
            worker: its name.
            ahead: whether the worker still computes another one. It then gets none of the last ones of an epoch, for
                which others wait.
        """
        if self._over:
            return False
        if ahead and not self._has_for_later():
            return None
        return self._state.next(worker, time.monotonic())

    def read(self) -> Snapshot:
        """Return all weights of the present version."""
        return self._state.read()

    def push(
        self, worker: str, number: int, version: int, push: Push, reads: bool
    ) -> tuple[Answer, Snapshot | None]:
        """Take a gradient, and return what became of it, with the weights after it if the worker reads them."""
        answer = self._state.push(worker, number, version, push, time.monotonic())
        if answer.state == "applied":
            self._applied_by[worker] = self._applied_by.get(worker, 0) + 1
        return answer, self._state.read() if reads else None

    def progress(self) -> Progress:
        """Return how far the run is."""
        state = self._state
        return Progress(
            *(state.version, state.book.is_complete, state.book.is_whole),
            *(list(state.numbers.metrics), state.not_finite),
            *(dict(self._workers), dict(self._applied_by)),
        )

    def gone(self, worker: str) -> list[Lease]:
        """Take back the leases of a worker that is gone."""
        self._workers.pop(worker, None)
        return self._state.gone(worker)

    def pause(self) -> None:
        """Hand out only what completes the steps that have begun."""
        self._state.book.pause()

    def go_on(self) -> None:
        """End a pause."""
        self._state.book.go_on()

    def whole(self) -> Whole:
        """Return everything, at whole steps; all lines of the log before it are then on the disk."""
        self._log.sync()
        state = self._state
        return Whole(
            *(state.position, state.version, state.read().arrays),
            *(self._weights.slots(), self._weights.updates),
            metrics=list(state.numbers.metrics),
            state={**state.state(), "updates": self._weights.updates},
        )

    def results(self) -> dict[str, float]:
        """Return ages and lost leases of the epoch."""
        return self._state.epoch_results()

    def close(self) -> None:
        """Tell workers that ask for a lease that the run is over, and close the log."""
        self._over = True
        self._log.close()

    def _has_for_later(self) -> bool:
        """Return whether a worker may take a lease to read ahead, and nobody else will wait for it."""
        state, run = self._state, self._replica.run
        left = leases_before(run.order, Position(run.position.epoch + 1)) - state.version
        holders = state.book.open_leases
        idle = max(0, len(self._workers) - len(set(holders.values())))
        return left > 2 * state.rules.workers and len(holders) + idle < state.rules.most_open
