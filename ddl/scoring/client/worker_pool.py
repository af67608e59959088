"""Run the worker processes: start and watch them, replace killed ones, stop them on Ctrl-C, and show progress."""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import multiprocessing.connection
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import psycopg

from ddl.progress import Progress
from ddl.scoring.client.database import Database, refusal
from ddl.scoring.client.job import Job
from ddl.scoring.client.results_table import Target, count, prepare
from ddl.scoring.client.worker import DONE, connect, work

_MAX_REPLACED = 20
_TERMINATE_TIMEOUT_S = 5.0
_POLL_S = 1.0


def score(job: Job, database: Database) -> str:
    """Score every row that has no result yet, and return a one-line summary.

    Raises:
        ValueError: no such table or model, or the server did not come back.
    """
    try:
        with connect(database, 0 if job.greenplum else 86_400) as connection:
            target = prepare(connection, job)
            waiting, before, *_ = count(connection, target)
        if waiting:
            with contextlib.closing(Progress("pictures", waiting + before)) as progress:
                progress.show(before)
                WorkerPool(database, target, min(job.workers, waiting)).run(before, progress)
        with connect(database, job.timeout_s) as connection:
            _, done, wrong, error_text = count(connection, target)
    except psycopg.Error as error:
        raise ValueError(refusal(error)) from error
    results, version = ".".join(target.results), target.version
    first = f" (first: {error_text})" if wrong else ""
    return f"{results}: {done - wrong} scored by {job.model} version {version}, {wrong} with errors{first}"


class WorkerPool:
    """The worker processes of a job."""

    def __init__(self, database: Database, target: Target, workers: int) -> None:
        """Prepare the pool; `run` starts the workers."""
        self._database, self._target, self._count = database, target, workers
        self._workers: dict[Connection, Any] = {}
        self._replaced = 0

    def run(self, done: int, progress: Progress) -> None:
        """Score all rows; `done` is the number of rows that already have results.

        Raises:
            ValueError: a worker failed in a way that a retry would not fix.
        """
        try:
            for _ in range(self._count):
                self._start()
            while self._workers:
                before = done
                for pipe in mp.connection.wait(list(self._workers), _POLL_S):
                    if isinstance(pipe, Connection):
                        done += self._receive(pipe)
                if done != before:
                    progress.show(done)
        finally:
            self._end()

    def _start(self) -> None:
        context = mp.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        # A terminal sends Ctrl-C to all processes. The workers block it, so that the parent alone ends them.
        with _blocking(signal.SIGINT):
            worker = context.Process(target=work, args=(self._database, self._target, theirs))
            worker.start()
        theirs.close()
        self._workers[ours] = worker

    def _receive(self, pipe: Connection) -> int:
        """Return the number of rows that a worker reports; replace the worker if it died."""
        try:
            kind, what = pipe.recv()
        except (EOFError, OSError):
            self._replace(pipe)
            return 0
        if kind == DONE:
            self._replaced = 0
            return int(what)
        raise ValueError(what)

    def _replace(self, pipe: Connection) -> None:
        """Start a new worker in place of one that was killed. One that exited with 0 has finished its work."""
        worker = self._workers.pop(pipe)
        pipe.close()
        worker.join()
        if worker.exitcode == 0:
            return
        self._replaced += 1
        if self._replaced > _MAX_REPLACED:
            raise ValueError(
                f"{self._replaced} workers in a row ended with status {worker.exitcode}. See their errors in the lines "
                "above."
            )
        self._start()

    def _end(self) -> None:
        for worker in self._workers.values():
            worker.terminate()
        for pipe, worker in self._workers.items():
            worker.join(_TERMINATE_TIMEOUT_S)
            if worker.is_alive():
                worker.kill()
                worker.join()
            pipe.close()
        self._workers.clear()


@contextlib.contextmanager
def _blocking(number: signal.Signals) -> Iterator[None]:
    """Block a signal; processes that start within the block keep it blocked."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
