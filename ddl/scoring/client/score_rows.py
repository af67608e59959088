"""The two statements of a scoring transaction: lock rows, then write their results.

A row stays locked until the transaction commits its result. If the worker dies first, the lock is released.
Other workers skip locked rows and later see them scored. So every row gets exactly one result.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from ddl.scoring.client.results_table import Target

_CLAIM = """
SELECT r.id::text FROM {results} r
WHERE r.model = %(model)s AND r.version = %(version)s AND r.scored_at IS NULL {which}
ORDER BY r.id LIMIT %(limit)s FOR UPDATE {skip}
"""
# ORDER BY r.id, not id: "id" is the text of the first line, which has no index, so every batch would sort all rows.

_SCORE = """
WITH scored AS (
    SELECT c.id, s.mask, s.label, s.probability, s.error
    FROM unnest(%(ids)s::text[]::{id_type}[]) AS c (id)
    LEFT JOIN {table} t ON t.{id} = c.id
    CROSS JOIN LATERAL {function}(%(model)s, t.{picture}, %(version)s, %(threshold)s) s
)
UPDATE {results} r
SET mask = s.mask, label = s.label, probability = s.probability, error = s.error, scored_at = clock_timestamp()
FROM scored s WHERE r.id = s.id AND r.model = %(model)s AND r.version = %(version)s
"""

_FAIL = """
UPDATE {results} SET error = %(error)s, scored_at = clock_timestamp()
WHERE model = %(model)s AND version = %(version)s AND id = %(id)s::text::{id_type}
"""

_ANY_LEFT = """
SELECT EXISTS (
    SELECT 1 FROM {results} WHERE model = %(model)s AND version = %(version)s AND scored_at IS NULL)
"""


class UnscoredRows:
    """The rows of a job without results, over one connection. Call its methods within a transaction."""

    def __init__(self, connection: psycopg.Connection[Any], target: Target) -> None:
        """Use a connection; the caller closes it."""
        self._connection, job = connection, target.job
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

    def lock(self, limit: int) -> list[str]:
        """Lock at most `limit` rows without results for this transaction, and return their ids."""
        return self._lock("", limit=limit)

    def lock_one(self, name: str) -> list[str]:
        """Lock one row; return its id, or an empty list if it has a result or another worker holds it."""
        return self._lock("AND r.id = %(id)s::text::{id_type}", limit=1, id=name)

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

    def _run(self, text: str, **values: Any) -> psycopg.Cursor[Any]:
        return self._connection.execute(sql.SQL(text).format(**self._names), self._values | values)
