"""One worker: claims, has the server score, commits, again and again, through whatever happens to the server."""

from __future__ import annotations

import multiprocessing as mp
import time
from collections import Counter
from multiprocessing.connection import Connection
from typing import Any

import psycopg
from psycopg import errors

from ddl.scoring.client.database import Database, refusal, told
from ddl.scoring.client.results_table import Target
from ddl.scoring.client.score_rows import Claims

DONE, FATAL = "done", "fatal"
LOSSES = 3
"""So often may the server process end over one picture, before that picture gets an error."""

_LOOK_AGAIN_S = 0.2
_WAITS_S = (0.1, 0.2, 0.5, 1.0, 2.0)
_SHUT_DOWN = (
    "57P01",
    "57P02",
    "57P03",
)  # by an administrator, over another process's crash, not yet up


def work(database: Database, target: Target, pipe: Connection) -> None:
    """Score until nothing waits, and tell the parent: (DONE, rows) a batch, or (FATAL, why)."""
    worker = Worker(database, target)
    try:
        while True:
            parent = mp.parent_process()
            if parent is not None and not parent.is_alive():
                return
            count = worker.step()
            if count is None:
                return
            if count:
                pipe.send((DONE, count))
            else:
                time.sleep(_LOOK_AGAIN_S)
    except (psycopg.Error, ValueError) as error:
        pipe.send((FATAL, refusal(error)))
    except BrokenPipeError:  # the parent is gone
        return


class Worker:
    """A connection, which is made again when it breaks, and the pictures under suspicion of having broken it."""

    def __init__(self, database: Database, target: Target) -> None:
        """Take what to do; nothing is connected yet."""
        self._database, self._target = database, target
        self._connection: psycopg.Connection[Any] | None = None
        self._losses: Counter[str] = Counter()
        self._warnings: list[str | None] = []
        self._in_vain = 0

    def step(self) -> int | None:
        """Score one batch; return its rows: 0 when others hold all that waits, None when nothing does.

        Raises:
            psycopg.Error: that trying again would not mend.
            ValueError: the server stayed away, or does not find what waits in time.
        """
        ids: list[str] = []
        connection = self._connected()
        try:
            with connection.transaction():
                claims = Claims(connection, self._target)
                ids.extend(self._choose(claims))
                if not ids:
                    left = claims.any_wait()
                    self._in_vain = 0
                    return 0 if left else None
                self._score(claims, ids)
        except errors.QueryCanceled as error:
            self._give_up_on(ids, error)
            return 0
        except errors.DeadlockDetected:
            return 0
        except psycopg.OperationalError as error:
            if not connection.closed:
                raise
            self._connection = None
            # That another process has crashed comes as a warning; the error is only that the line is dead.
            if not {error.sqlstate, *self._warnings} & set(_SHUT_DOWN):
                self._suspect(ids, 1)
            return 0
        for name in ids:
            self._losses.pop(name, None)
        self._in_vain = 0
        return len(ids)

    def _choose(self, claims: Claims) -> list[str]:
        """Return claimed ids: of suspects one at a time, so that the others are cleared."""
        for name in list(self._losses):
            if found := claims.claim_one(name):
                return found
            del self._losses[name]  # somebody else has it
        return claims.claim(self._target.job.batch_size)

    def _score(self, claims: Claims, ids: list[str]) -> None:
        if len(ids) == 1 and self._losses[ids[0]] >= LOSSES:
            claims.fail(
                ids[0],
                "Received: a picture over which the server's process ended, or took longer than "
                f"{self._target.job.timeout_s:g} s. Expected: one that can be scored.",
            )
        else:
            claims.score(ids)

    def _give_up_on(self, ids: list[str], error: psycopg.Error) -> None:
        """Remember what took too long: a batch; or, which is no picture's fault, to find one or to write its error."""
        is_given_up = len(ids) == 1 and self._losses[ids[0]] >= LOSSES
        if ids and not is_given_up:
            self._suspect(ids, LOSSES if len(ids) == 1 else 1)
            self._in_vain = 0
            return
        self._in_vain += 1
        if self._in_vain >= LOSSES:
            what = "writing an error" if ids else "looking for waiting pictures"
            raise ValueError(
                f"Received: {what} took longer than --timeout-s {self._target.job.timeout_s:g}, "
                f"{LOSSES} times in a row. Expected: a table of results that nobody locks; or a longer --timeout-s."
            ) from error

    def _suspect(self, ids: list[str], weight: int) -> None:
        for name in ids:
            self._losses[name] += weight

    def _connected(self) -> psycopg.Connection[Any]:
        """Return the connection, made again within a bounded time."""
        if self._connection is not None:
            return self._connection
        deadline = time.monotonic() + self._target.job.reconnect_s
        attempt = 0
        while True:
            try:
                self._connection = connect(self._database, self._target.job.timeout_s)
            except psycopg.OperationalError as error:
                wait_s = _WAITS_S[min(attempt, len(_WAITS_S) - 1)]
                if time.monotonic() + wait_s > deadline:
                    raise ValueError(
                        f"Received: no server for {self._target.job.reconnect_s:g} s ({told(error)}). Expected: one; "
                        "the same command goes on where it was."
                    ) from error
                time.sleep(wait_s)
                attempt += 1
            else:
                self._warnings.clear()
                self._connection.add_notice_handler(lambda one: self._warnings.append(one.sqlstate))
                return self._connection


def connect(database: Database, timeout_s: float) -> psycopg.Connection[Any]:
    """Return a connection for scoring, whose server process ends soon after its client.

    Args:
        database: where to.
        timeout_s: of each statement; 0 for none.
    """
    connection = database.connect(
        statement_timeout=max(1, round(timeout_s * 1000)) if timeout_s else 0,
        # Where "serializable" is the default, workers that claim side by side would be refused.
        default_transaction_isolation="read committed",
    )
    connection.autocommit = True
    # Functions that say what they cost look expensive enough to compile the query around them, which takes longer.
    if connection.info.server_version >= 110000:
        connection.execute("SET jit = off")
    if connection.info.server_version >= 140000:
        connection.execute("SET client_connection_check_interval = '1s'")
    return connection
