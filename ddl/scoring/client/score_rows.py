"""The two statements of a transaction that scores: rows are claimed, and get their results.

A claimed row is locked until its result is committed with it. Whoever is killed before lets go of it; whoever looks for
rows meanwhile skips it, and afterwards sees it scored. So every row gets one result, whatever happens.
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
# By r.id: "id" alone would be the text of the first line, by which all that waits would be sorted for every batch.

_SCORE = """
WITH found AS (
    SELECT c.id, s.mask, s.label, s.probability, s.error
    FROM unnest(%(ids)s::text[]::{id_type}[]) AS c (id)
    LEFT JOIN {table} t ON t.{id} = c.id
    CROSS JOIN LATERAL {function}(%(model)s, t.{picture}, %(version)s, %(threshold)s) s
)
UPDATE {results} r
SET mask = f.mask, label = f.label, probability = f.probability, error = f.error, scored_at = clock_timestamp()
FROM found f WHERE r.id = f.id AND r.model = %(model)s AND r.version = %(version)s
"""

_FAIL = """
UPDATE {results} SET error = %(error)s, scored_at = clock_timestamp()
WHERE model = %(model)s AND version = %(version)s AND id = %(id)s::text::{id_type}
"""

_WAITS = """
SELECT EXISTS (
    SELECT 1 FROM {results} WHERE model = %(model)s AND version = %(version)s AND scored_at IS NULL)
"""


class Claims:
    """The rows of a job, through one connection. Call within a transaction."""

    def __init__(self, connection: psycopg.Connection[Any], target: Target) -> None:
        """Take a connection, which stays the caller's."""
        self._connection, self._target = connection, target
        job = target.job
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

    def claim(self, limit: int) -> list[str]:
        """Return the ids of rows that wait, at most so many, which are this transaction's from now on."""
        return self._claim(sql.SQL(""), limit=limit)

    def claim_one(self, name: str) -> list[str]:
        """Return the id if it waits and nobody else has it."""
        which = sql.SQL("AND r.id = %(id)s::text::{}").format(self._names["id_type"])
        return self._claim(which, limit=1, id=name)

    def score(self, ids: list[str]) -> int:
        """Score claimed rows; return how many got a result."""
        return self._run(_SCORE, ids=ids).rowcount

    def fail(self, name: str, error: str) -> None:
        """Give a claimed row an error in place of a result."""
        self._run(_FAIL, id=name, error=error)

    def any_wait(self) -> bool:
        """Return whether rows are left, others' claims included."""
        row = self._run(_WAITS).fetchone()
        return bool(row and row[0])

    def _claim(self, which: sql.Composable, **values: Any) -> list[str]:
        return [str(row[0]) for row in self._run(_CLAIM, which=which, **values).fetchall()]

    def _run(
        self, text: str, which: sql.Composable | None = None, **values: Any
    ) -> psycopg.Cursor[Any]:
        names = self._names if which is None else self._names | {"which": which}
        return self._connection.execute(sql.SQL(text).format(**names), self._values | values)
