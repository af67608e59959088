"""The two statements of a scoring transaction: lock rows, then write their results.

A row stays locked until the transaction commits its result. If the worker dies first, the lock is released.
Other workers skip locked rows and later see them scored. So every row gets exactly one result.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg
from psycopg import sql

from ddl.scoring.client.results_table import Target, hold_results
from ddl.scoring.client.trust import fixed_names

# Operators, functions and types are named with their schema: a search_path may hold others that fit better.
_CLAIM = """
SELECT r.id::pg_catalog.text FROM {results} r
WHERE r.model OPERATOR(pg_catalog.=) %(model)s AND r.version OPERATOR(pg_catalog.=) %(version)s
AND r.scored_at IS NULL {which}
ORDER BY r.id LIMIT %(limit)s FOR UPDATE {skip}
"""
# ORDER BY r.id, not id: "id" is the text of the first line, which has no index, so every batch would sort all rows.

_SCORE = """
WITH scored AS (
    SELECT c.id, s.mask, s.label, s.probability, s.error
    FROM pg_catalog.unnest(%(ids)s::pg_catalog.text[]::{id_type}[]) AS c (id)
    LEFT JOIN {table} t ON t.{id} OPERATOR(pg_catalog.=) c.id
    CROSS JOIN LATERAL {function}(%(model)s, t.{picture}, %(version)s, %(threshold)s) s
)
UPDATE {results} r
SET mask = s.mask, label = s.label, probability = s.probability, error = s.error,
    scored_at = pg_catalog.clock_timestamp()
FROM scored s WHERE r.id OPERATOR(pg_catalog.=) s.id
AND r.model OPERATOR(pg_catalog.=) %(model)s AND r.version OPERATOR(pg_catalog.=) %(version)s
"""

_FAIL = """
UPDATE {results} SET error = %(error)s, scored_at = pg_catalog.clock_timestamp()
WHERE model OPERATOR(pg_catalog.=) %(model)s AND version OPERATOR(pg_catalog.=) %(version)s
AND id OPERATOR(pg_catalog.=) %(id)s::pg_catalog.text::{id_type}
"""

_ANY_LEFT = """
SELECT EXISTS (
    SELECT 1 FROM {results} WHERE model OPERATOR(pg_catalog.=) %(model)s
    AND version OPERATOR(pg_catalog.=) %(version)s AND scored_at IS NULL)
"""


class UnscoredRows:
    """The rows of a job without results, over one connection. Call its methods within a transaction."""

    def __init__(self, connection: psycopg.Connection[Any], target: Target) -> None:
        """Use a connection; the caller closes it."""
        self._began_s = time.monotonic()
        self._connection, self._target, job = connection, target, target.job
        self._values = {"model": job.model, "version": target.version, "threshold": job.threshold}
        self._names = {
            "results": sql.Identifier(*target.results),
            "table": sql.Identifier(*target.table),
            "id": sql.Identifier(job.id_column),
            "picture": sql.Identifier(job.picture_column),
            "function": sql.Identifier(job.schema, target.function),
            "id_type": sql.SQL(target.id_type),
            "skip": sql.SQL("" if job.greenplum else "SKIP LOCKED"),
        }

    def check(self) -> None:
        """Refuse code of other roles at the table of results, and keep it as it is during this transaction.

        Raises:
            ValueError: there is such code.
        """
        self._began_s = time.monotonic()
        with fixed_names(self._connection):
            hold_results(self._connection, self._target)

    def lock(self, limit: int) -> list[str]:
        """Lock at most `limit` rows without results for this transaction, and return their ids."""
        return self._lock("", limit=limit)

    def lock_one(self, name: str) -> list[str]:
        """Lock one row; return its id, or an empty list if it has a result or another worker holds it."""
        return self._lock(
            "AND r.id OPERATOR(pg_catalog.=) %(id)s::pg_catalog.text::{id_type}", limit=1, id=name
        )

    def score(self, ids: list[str]) -> None:
        """Score locked rows and write their results."""
        self._run(_SCORE, ids=ids)

    def fail(self, name: str, error: str) -> None:
        """Write an error instead of a result to a locked row."""
        self._run(_FAIL, id=name, error=error)

    def any_left(self) -> bool:
        """Return whether rows without results are left, including rows that other workers hold."""
        row = self._run(_ANY_LEFT).fetchone()
        return bool(row and row[0])

    def _lock(self, which: str, **values: Any) -> list[str]:
        rows = self._run(_CLAIM.replace("{which}", which), **values).fetchall()
        return [str(row[0]) for row in rows]

    @property
    def elapsed_s(self) -> float:
        """Seconds since the last statement began."""
        return time.monotonic() - self._began_s

    def _run(self, text: str, **values: Any) -> psycopg.Cursor[Any]:
        self._began_s = time.monotonic()
        return self._connection.execute(sql.SQL(text).format(**self._names), self._values | values)
