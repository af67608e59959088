"""The table of results: created, checked, and filled with an unscored row for every new picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from ddl.scoring.client.database import message_of
from ddl.scoring.client.job import Job
from ddl.scoring.client.trust import (
    check_creation,
    check_pictures,
    check_results,
    check_schema,
    fixed_names,
)

_COLUMNS = ("id", "model", "version", "mask", "label", "probability", "error", "scored_at")
_LOCK = 0x64646C  # "ddl" in ASCII; an advisory lock, so that only one job creates and fills a table of results

_TABLE = """
CREATE TABLE {results} (
    id {id_type} NOT NULL,
    model text NOT NULL,
    version integer NOT NULL,
    mask bytea,
    label text,
    probability double precision,
    error text,
    scored_at timestamp with time zone,
    PRIMARY KEY (id, model, version)
){distribution}
"""

_FILL = """
INSERT INTO {results} (id, model, version)
    SELECT s.{id}, %(model)s, %(version)s FROM {table} s
    WHERE s.{id} IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM {results} r WHERE r.id OPERATOR(pg_catalog.=) s.{id}
        AND r.model OPERATOR(pg_catalog.=) %(model)s AND r.version OPERATOR(pg_catalog.=) %(version)s)
"""

_COUNT = """
SELECT pg_catalog.count(*), pg_catalog.count(scored_at), pg_catalog.count(error), (
    SELECT error FROM {results} WHERE model OPERATOR(pg_catalog.=) %(model)s
    AND version OPERATOR(pg_catalog.=) %(version)s AND error IS NOT NULL ORDER BY id LIMIT 1)
FROM {results} WHERE model OPERATOR(pg_catalog.=) %(model)s AND version OPERATOR(pg_catalog.=) %(version)s
"""

# A column's type, the base type of that (of a domain, whose checks would run), and whether the column is unique.
_COLUMN = """
WITH RECURSIVE base (oid) AS (
    SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = %(table)s::regclass AND a.attname = %(column)s
    UNION SELECT t.typbasetype FROM pg_type t JOIN base ON base.oid = t.oid WHERE t.typtype = 'd'
)
SELECT pg_catalog.format_type(a.atttypid, a.atttypmod), (
    SELECT quote_ident(n.nspname) || '.' || quote_ident(t.typname)
    FROM base JOIN pg_type t ON t.oid = base.oid JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype <> 'd'
), EXISTS (
    SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indpred IS NULL
    AND i.indnatts = 1 AND i.indkey[0] = a.attnum)
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = %(table)s::regclass AND a.attname = %(column)s AND a.attnum > 0 AND NOT a.attisdropped
"""


@dataclass(frozen=True)
class Target:
    """A job with its names resolved in the database.

    The tables of pictures and of results are (schema, table), as stored. `function` is `score` for pictures, and
    `score_file` for file names.
    """

    job: Job
    table: tuple[str, str]
    results: tuple[str, str]
    id_type: str
    function: str
    version: int


def prepare(connection: psycopg.Connection[Any], job: Job) -> Target:
    """Create and fill the table of results.

    Raises:
        ValueError: unknown model, table or column.
    """
    with connection.transaction():
        with fixed_names(connection) as schemas:
            check_schema(connection, job.schema)
            version = _find_version(connection, job)
            table = _find_table(connection, job.table.split("."), schemas)
            if table is None:
                raise ValueError(
                    f"Received: table={job.table!r}. Expected: a table of this database; names are "
                    "case-sensitive."
                )
            check_pictures(connection, job.table, sql.Identifier(*table))
            id_type, function = _check_columns(connection, job, table)
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            results = _make(connection, job, table, id_type, schemas)
            target = Target(job, table, results, id_type, function, version)
            hold_results(connection, target)
        connection.execute(
            sql.SQL(_FILL).format(
                results=sql.Identifier(*results),
                table=sql.Identifier(*table),
                id=sql.Identifier(job.id_column),
            ),
            {"model": job.model, "version": version},
        )
    connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(*results)))
    return target


def hold_results(connection: psycopg.Connection[Any], target: Target) -> None:
    """Within a transaction, keep the code attached to the table of results as it is, and refuse that of other roles.

    Call it with fixed names. Other jobs may write meanwhile, but nobody can add a trigger.

    Raises:
        ValueError: the table has code of another role.
    """
    place = sql.Identifier(*target.results)
    connection.execute(sql.SQL("LOCK TABLE {} IN ROW EXCLUSIVE MODE").format(place))
    check_results(connection, ".".join(target.results), place)


def count(connection: psycopg.Connection[Any], target: Target) -> tuple[int, int, int, str]:
    """Return the numbers of rows that are unscored, scored, and scored with an error, and the first error by id."""
    row = connection.execute(
        sql.SQL(_COUNT).format(results=sql.Identifier(*target.results)),
        {"model": target.job.model, "version": target.version},
    ).fetchone()
    every, done, wrong, error = row or (0, 0, 0, None)
    return every - done, done, wrong, " ".join((error or "").split())


def _find_version(connection: psycopg.Connection[Any], job: Job) -> int:
    versions = sql.Identifier(job.schema, "model_versions")
    try:
        rows = connection.execute(
            sql.SQL("SELECT version FROM {} WHERE name = %s ORDER BY version DESC").format(
                versions
            ),
            (job.model,),
        ).fetchall()
    except psycopg.errors.InsufficientPrivilege as error:
        raise ValueError(
            f"Received: {message_of(error)}, for user {connection.info.user}. Expected: a user with sql_deploy.py's "
            f"role: GRANT ddl_scorer TO {sql.Identifier(connection.info.user).as_string(None)} (or the role of its "
            "--role)."
        ) from error
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise ValueError(
            f"Received: schema={job.schema}, which holds no models. Expected: a schema that scripts/sql_deploy.py "
            "created."
        ) from error
    known = [int(row[0]) for row in rows]
    if not known or (job.version is not None and job.version not in known):
        there = f"version {' or '.join(map(str, known))}" if known else "a deployed model"
        raise ValueError(
            f"Received: model={job.model}, version={job.version or 'any'}. Expected: {there}."
        )
    return job.version or known[0]


def _find_table(
    connection: psycopg.Connection[Any], parts: Sequence[str], schemas: Sequence[str]
) -> tuple[str, str] | None:
    """Return schema and name of a table; None if there is none. Without a schema, look in `schemas`, in this order."""
    *given, name = parts
    if len(given) > 1:
        return None
    for schema in given or schemas:
        row = connection.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p')",
            (schema, name),
        ).fetchone()
        if row is not None:
            return row[0], row[1]
    return None


def _check_columns(
    connection: psycopg.Connection[Any], job: Job, table: tuple[str, str]
) -> tuple[str, str]:
    """Return the type of the ids, and the scoring function for the type of the pictures."""
    place = sql.Identifier(*table).as_string(connection)
    ids = connection.execute(_COLUMN, {"table": place, "column": job.id_column}).fetchone()
    if ids is None or not ids[2]:
        raise ValueError(
            f"Received: id_column={job.id_column!r} of {job.table}. Expected: the primary key, or a column with a "
            "unique index of its own."
        )
    pictures = connection.execute(
        _COLUMN, {"table": place, "column": job.picture_column}
    ).fetchone()
    kind = None if pictures is None else str(pictures[0]).partition("(")[0]
    functions = {"bytea": "score", "text": "score_file", "character varying": "score_file"}
    if kind not in functions:
        raise ValueError(
            f"Received: picture_column={job.picture_column!r} of {job.table}, of type {kind}. Expected: bytea with "
            "pictures, or text with file names."
        )
    return str(ids[1]), functions[str(kind)]


def _make(
    connection: psycopg.Connection[Any],
    job: Job,
    table: tuple[str, str],
    id_type: str,
    schemas: Sequence[str],
) -> tuple[str, str]:
    """Find or create the table of results, and return its name."""
    given = tuple(job.results.split(".")) if job.results else (table[0], f"{table[1]}_scores")
    name = ".".join(given)
    # The table is created in the schema of the pictures, so it is also looked up there.
    full = given if len(given) > 1 else (table[0], *given)
    results = _find_table(connection, given, schemas) or _find_table(connection, full, schemas)
    if results is None:
        if len(full) > 2 or not all(part.replace("_", "a").isalnum() for part in full):
            raise ValueError(
                f"Received: results={name!r}. Expected: an existing table, or a name such as lab.scores."
            )
        results = (full[0], full[1])
        check_creation(connection, name)
        _create(connection, job, results, id_type)
    place = sql.Identifier(*results).as_string(connection)
    rows = connection.execute(
        "SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = %s::regclass AND attnum > 0",
        (place,),
    ).fetchall()
    missing = set(_COLUMNS) - {row[0] for row in rows}
    if missing:
        raise ValueError(
            f"Received: results={name}, which has no column {sorted(missing)[0]}. Expected: a table that this script "
            "created, or a new name."
        )
    return results


def _create(
    connection: psycopg.Connection[Any], job: Job, name: tuple[str, str], id_type: str
) -> None:
    place = sql.Identifier(*name)
    where = sql.SQL(" DISTRIBUTED BY (id)" if job.greenplum else "")
    connection.execute(
        sql.SQL(_TABLE).format(results=place, id_type=sql.SQL(id_type), distribution=where)
    )
    # PNGs are already compressed. The partial index covers only unscored rows, so it shrinks during the job.
    connection.execute(
        sql.SQL("ALTER TABLE {} ALTER COLUMN mask SET STORAGE EXTERNAL").format(place)
    )
    connection.execute(
        sql.SQL("CREATE INDEX ON {} (model, version, id) WHERE scored_at IS NULL").format(place)
    )
