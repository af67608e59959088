"""A worker, in an actor of Ray's: lease -> weights -> gradient -> push, until the run is over."""

from __future__ import annotations

import os
import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ddl.asynchronous.epoch_leases import Lease
from ddl.asynchronous.job import SERVER, Job, actor_named, load_tensorflow

_ASK_S = (0.02, 0.25)  # pauses between two questions for a lease, the first and the longest
_ANSWER_S = 2.0
SLOW = "DDL_WORKER_SLEEP_S"
"""Seconds of sleep a sample, to try out a slow machine."""


class Over(Exception):
    """There is nothing more to compute."""


class Worker:
    """Computes gradients for the server of its namespace, and for the one that replaces it."""

    def __init__(self, actor: str, patience_s: float, sleep_s: float = 0.0) -> None:
        """Prepare; nothing large is loaded yet.

        Args:
            actor: name of this actor.
            patience_s: seconds to look for another server after one is gone.
            sleep_s: seconds of sleep a sample, to try out a slow machine.
        """
        self._actor, self._patience_s = actor, patience_s
        self._sleep_s = sleep_s or float(os.environ.get(SLOW, 0.0))
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._server: Any = None
        self._job: Job
        self._ends = threading.Event()

    def where(self) -> tuple[str, int]:
        """Return host and process number."""
        return socket.gethostname(), os.getpid()

    def wait_for_end(self) -> None:
        """Return when `run` has. Whoever waits for this call learns at once that the process died."""
        self._ends.wait()

    def run(self) -> str:
        """Compute until the run is over; return why it ended.

        Raises:
            ValueError: this machine does not have the run's data.
        """
        try:
            load_tensorflow()  # while the server does, too
            self._find_server(None)
            while True:
                try:
                    return self._serve()
                except _lost() as error:
                    self._find_server(error)
        except Over as end:
            return str(end)
        finally:
            self._ends.set()

    def _serve(self) -> str:
        """Work for one server, until it is gone or says that the run is over."""
        if not hasattr(self, "_gradient"):
            self._prepare(self._job)
        from ddl.asynchronous.keras_weights import write_weights

        _get(self._server.hello.remote(self._name, *self.where(), self._actor))
        with ThreadPoolExecutor(1) as reader:
            lease, batch = self._take()
            snapshot = _get(self._server.read.remote())
            while True:
                ahead = reader.submit(self._take_ahead)
                write_weights(self._model, snapshot.arrays)
                if self._sleep_s:
                    time.sleep(self._sleep_s * len(lease.indices))
                push = self._gradient.compute(lease, batch)
                _, snapshot = _get(
                    self._server.push.remote(
                        *(self._name, lease.number, snapshot.version, push), True
                    )
                )
                lease, batch, waited = self._next(ahead)
                if waited:
                    snapshot = _get(self._server.read.remote())

    def _prepare(self, job: Job) -> None:
        data, replica = job.open()
        from ddl.asynchronous.gradient import LeaseGradient

        self._model = replica.model
        self._gradient = LeaseGradient(replica.model, replica.run, data)

    def _next(self, ahead: Future[tuple[Lease, Any] | None]) -> tuple[Lease, Any, bool]:
        """Return the next lease with its samples, and whether it was waited for."""
        taken = ahead.result()
        return (*(taken or self._take()), taken is None)

    def _take_ahead(self) -> tuple[Lease, Any] | None:
        lease = _get(self._server.next.remote(self._name, True))
        return (lease, self._gradient.read(lease)) if isinstance(lease, Lease) else None

    def _take(self) -> tuple[Lease, Any]:
        """Wait for a lease, and read its samples."""
        pause = _ASK_S[0]
        while True:
            lease = _get(self._server.next.remote(self._name))
            if lease is False:
                raise Over("The run is over.")
            if lease is not None:
                return lease, self._gradient.read(lease)
            time.sleep(pause)
            pause = min(_ASK_S[1], pause * 1.5)

    def _find_server(self, error: Exception | None) -> None:
        """Find the server of the run, or the one that takes its place."""
        import ray

        until = time.monotonic() + self._patience_s
        while time.monotonic() < until:
            try:
                server = actor_named(SERVER)
                job = _get(server.job.remote(), _ANSWER_S)
                if job is not None:
                    self._server, self._job = server, job
                    return
            except ray.exceptions.GetTimeoutError:
                until = time.monotonic() + self._patience_s  # it is there, and loads TensorFlow
            except (ValueError, ray.exceptions.RayActorError, ray.exceptions.ObjectLostError):
                pass
            time.sleep(_ASK_S[1])
        raise Over(f"The run's server is gone ({error}).")


def _get(reference: Any, timeout_s: float | None = None) -> Any:
    import ray

    return ray.get(reference, timeout=timeout_s)


def _lost() -> tuple[type[Exception], ...]:
    """Return the errors that say that a server's process is gone."""
    import ray

    errors = ray.exceptions
    return (errors.RayActorError, errors.ObjectLostError)
