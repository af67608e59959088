"""A worker process: locks rows, lets the server score them, and commits; reconnects when the server goes away."""

from __future__ import annotations

import multiprocessing as mp
import time
from collections import Counter
from multiprocessing.connection import Connection
from typing import Any

import psycopg
from psycopg import errors

from ddl.scoring.client.database import Database, message_of, refusal
from ddl.scoring.client.results_table import Target
from ddl.scoring.client.score_rows import UnscoredRows

DONE, FATAL = "done", "fatal"
MAX_CRASHES = 3
"""Crashes of the server's process on one picture before the picture gets an error; also timeouts before giving up."""

_TIMEOUT_SHARE = (
    0.9  # of --timeout-s: a statement that is canceled earlier was canceled by somebody
)
_WAIT_FOR_OTHERS_S = 0.2
_RECONNECT_WAITS_S = (0.1, 0.2, 0.5, 1.0, 2.0)
# SQLSTATEs admin_shutdown, crash_shutdown (another process crashed) and cannot_connect_now (starting up).
_SHUT_DOWN = ("57P01", "57P02", "57P03")


def work(database: Database, target: Target, pipe: Connection) -> None:
    """Score until no unscored rows are left. Sends (DONE, rows) after each batch, or (FATAL, reason)."""
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
                time.sleep(_WAIT_FOR_OTHERS_S)
    except psycopg.Error as error:
        pipe.send((FATAL, refusal(error)))
    except ValueError as error:  # ours, already one line for the user
        pipe.send((FATAL, str(error)))
    except BrokenPipeError:  # the parent has exited
        return


class Worker:
    """A connection, renewed when it breaks, and the pictures that were being scored when the backend died."""

    def __init__(self, database: Database, target: Target) -> None:
        """Prepare the worker; the first step connects."""
        self._database, self._target = database, target
        self._connection: psycopg.Connection[Any] | None = None
        self._crashes: Counter[str] = Counter()
        self._warnings: list[str | None] = []
        self._timeouts = self._cancels = 0

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()

    def step(self) -> int | None:
        """Score one batch.

        Returns:
            The number of rows; 0 if other workers hold all unscored rows; None if no unscored rows are left.

        Raises:
            psycopg.Error: an error that a retry would not fix.
            ValueError: the server did not come back, or locking rows repeatedly timed out.
        """
        ids: list[str] = []
        rows: UnscoredRows | None = None
        connection = self._connected()
        try:
            with connection.transaction():
                rows = UnscoredRows(connection, self._target)
                rows.check()
                ids.extend(self._lock(rows))
                if not ids:
                    left = rows.any_left()
                    self._timeouts = 0
                    return 0 if left else None
                self._score(rows, ids)
        except errors.QueryCanceled as error:
            if rows is not None and rows.elapsed_s < _TIMEOUT_SHARE * self._target.job.timeout_s:
                self._handle_cancel(error)
            else:
                self._handle_timeout(ids, error)
            return 0
        except errors.DeadlockDetected:
            return 0
        except psycopg.OperationalError as error:
            if not connection.closed:
                raise
            self._connection = None
            # When another process crashed, the reason arrives as a warning; the error only says that the connection
            # closed. Such a shutdown does not count against this batch.
            if not {error.sqlstate, *self._warnings} & set(_SHUT_DOWN):
                self._crashes.update(ids)
            return 0
        for name in ids:
            self._crashes.pop(name, None)
        self._timeouts = self._cancels = 0
        return len(ids)

    def _lock(self, rows: UnscoredRows) -> list[str]:
        """Lock rows. Suspects are locked one at a time, which shows which picture kills the backend."""
        for name in list(self._crashes):
            if ids := rows.lock_one(name):
                return ids
            del self._crashes[name]  # another worker has locked it
        return rows.lock(self._target.job.batch_size)

    def _score(self, rows: UnscoredRows, ids: list[str]) -> None:
        if len(ids) == 1 and self._crashes[ids[0]] >= MAX_CRASHES:
            rows.fail(
                ids[0],
                "Received: a picture on which the server's process died or took longer than "
                f"{self._target.job.timeout_s:g} s. Expected: a picture that can be scored.",
            )
        else:
            rows.score(ids)

    def _handle_timeout(self, ids: list[str], error: psycopg.Error) -> None:
        """Handle a timeout: suspect the batch, or count timeouts of locking rows and of writing an error."""
        is_given_up = len(ids) == 1 and self._crashes[ids[0]] >= MAX_CRASHES
        if ids and not is_given_up:
            self._crashes.update(dict.fromkeys(ids, MAX_CRASHES if len(ids) == 1 else 1))
            self._timeouts = 0
            return
        self._timeouts += 1
        if self._timeouts >= MAX_CRASHES:
            what = "Writing an error" if ids else "Claiming unscored pictures"
            raise ValueError(
                f"{what} took longer than --timeout-s {self._target.job.timeout_s:g}, {MAX_CRASHES} times in a row. "
                "Check whether another session locks the table of results, or raise --timeout-s."
            ) from error

    def _handle_cancel(self, error: psycopg.Error) -> None:
        """Handle a cancellation by another session, which says nothing about the pictures: try again, then give up."""
        self._cancels += 1
        if self._cancels >= MAX_CRASHES:
            raise ValueError(
                f"Another session canceled the scoring {MAX_CRASHES} times in a row (pg_cancel_backend). No picture "
                "got an error for it; run the same command again to continue where it stopped."
            ) from error

    def _connected(self) -> psycopg.Connection[Any]:
        """Return the connection; reconnect for at most `reconnect_s`."""
        if self._connection is not None:
            return self._connection
        deadline = time.monotonic() + self._target.job.reconnect_s
        attempt = 0
        while True:
            try:
                self._connection = connect(self._database, self._target.job.timeout_s)
            except psycopg.OperationalError as error:
                wait_s = _RECONNECT_WAITS_S[min(attempt, len(_RECONNECT_WAITS_S) - 1)]
                if time.monotonic() + wait_s > deadline:
                    raise ValueError(
                        f"The server did not answer for {self._target.job.reconnect_s:g} s ({message_of(error)}). "
                        "Start it, then run the same command again to continue where it stopped."
                    ) from error
                time.sleep(wait_s)
                attempt += 1
            else:
                self._warnings.clear()
                self._connection.add_notice_handler(
                    lambda notice: self._warnings.append(notice.sqlstate)
                )
                return self._connection


def connect(database: Database, timeout_s: float) -> psycopg.Connection[Any]:
    """Connect for scoring, with a server process that ends soon after its client.

    Args:
        database: the database.
        timeout_s: timeout of each statement; 0 for none.
    """
    connection = database.connect(
        statement_timeout=max(1, round(timeout_s * 1000)) if timeout_s else 0,
        # With "serializable" as default, workers that lock rows in parallel would fail with serialization errors.
        default_transaction_isolation="read committed",
    )
    connection.autocommit = True
    # The functions' high cost would trigger JIT compilation of each query, which takes longer than it saves.
    if connection.info.server_version >= 110000:
        connection.execute("SET jit = off")
    if connection.info.server_version >= 140000:
        connection.execute("SET client_connection_check_interval = '1s'")
    return connection
