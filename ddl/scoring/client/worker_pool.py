"""Workers as processes: started, watched, replaced when they are killed, ended with Ctrl-C; and progress."""

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
from ddl.scoring.client.results_table import Target, count, first_error, prepare
from ddl.scoring.client.worker import DONE, connect, work

_REPLACED_IN_A_ROW = 20
_END_S = 5.0
_LOOK_EVERY_S = 1.0


def score(job: Job, database: Database) -> str:
    """Score every row that has no result yet, and return what came of it in one line.

    Raises:
        ValueError: there is nothing of the kind, or the server stayed away.
    """
    try:
        with connect(database, 0 if job.greenplum else 86_400) as connection:
            target = prepare(connection, job)
            waiting, before, _ = count(connection, target)
        if waiting:
            with contextlib.closing(Progress("pictures", waiting + before)) as progress:
                progress.show(before)
                Crew(database, target, min(job.workers, waiting)).run(before, progress)
        with connect(database, job.timeout_s) as connection:
            _, done, wrong = count(connection, target)
            why = f" (first: {first_error(connection, target)})" if wrong else ""
    except psycopg.Error as error:
        raise ValueError(refusal(error)) from error
    results, version = ".".join(target.results), target.version
    return f"{results}: {done - wrong} scored by {job.model} version {version}, {wrong} with errors{why}"


class Crew:
    """The workers of a job."""

    def __init__(self, database: Database, target: Target, workers: int) -> None:
        """Get ready; nobody works yet."""
        self._database, self._target, self._wanted = database, target, workers
        self._members: dict[Connection, Any] = {}
        self._replaced = 0

    def run(self, done: int, progress: Progress) -> None:
        """Have all rows scored, of which so many are done.

        Raises:
            ValueError: a worker met what trying again would not mend.
        """
        try:
            for _ in range(self._wanted):
                self._start()
            while self._members:
                before = done
                for pipe in mp.connection.wait(list(self._members), _LOOK_EVERY_S):
                    if isinstance(pipe, Connection):
                        done += self._listen(pipe)
                if done != before:
                    progress.show(done)
        finally:
            self._end()

    def _start(self) -> None:
        context = mp.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        # Ctrl-C goes to all processes of a terminal; here the parent alone decides.
        with _holding(signal.SIGINT):
            member = context.Process(target=work, args=(self._database, self._target, theirs))
            member.start()
        theirs.close()
        self._members[ours] = member

    def _listen(self, pipe: Connection) -> int:
        """Return the rows that a worker reports; replace one that is gone."""
        try:
            kind, what = pipe.recv()
        except (EOFError, OSError):
            self._bury(pipe)
            return 0
        if kind == DONE:
            self._replaced = 0
            return int(what)
        raise ValueError(what)

    def _bury(self, pipe: Connection) -> None:
        member = self._members.pop(pipe)
        pipe.close()
        member.join()
        if member.exitcode == 0:
            return
        self._replaced += 1
        if self._replaced > _REPLACED_IN_A_ROW:
            raise ValueError(
                f"Received: workers that end with status {member.exitcode}, one after another. Expected: that they "
                "work; look at the lines above."
            )
        self._start()

    def _end(self) -> None:
        for member in self._members.values():
            member.terminate()
        for pipe, member in self._members.items():
            member.join(_END_S)
            if member.is_alive():
                member.kill()
                member.join()
            pipe.close()
        self._members.clear()


@contextlib.contextmanager
def _holding(number: signal.Signals) -> Iterator[None]:
    """Keep a signal back, for good in processes that start meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
