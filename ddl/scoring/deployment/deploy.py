"""Put functions and a model into a database, in one transaction: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import errors, sql

from ddl.scoring.client.database import Database, refusal, told
from ddl.scoring.deployment.changes import read_body, tell_changes
from ddl.scoring.deployment.deployment import Deployment
from ddl.scoring.deployment.exported_model import Parts, read_parts, try_parts
from ddl.scoring.deployment.functions import create_functions
from ddl.scoring.deployment.probe import check_server, own_code
from ddl.scoring.deployment.rights import grant_rights
from ddl.scoring.deployment.schema import create_schema, prepare_table


def statements(deployment: Deployment, code: tuple[str, ...]) -> Iterator[sql.Composed]:
    """Yield all that is run, but the model itself."""
    yield from create_schema(deployment)
    yield from create_functions(deployment, code)
    yield from grant_rights(deployment)
    if deployment.table:
        yield from prepare_table(deployment)


def as_text(deployment: Deployment) -> str:
    """Return all that would be run, but the model itself, for a person to read or to run with psql."""
    code = deployment.server_python or own_code()
    lines = [f"{one.as_string(None).strip()};\n" for one in statements(deployment, code)]
    row = f"{deployment.name}, a row of {deployment.schema}.models"
    missing = f"-- the model itself ({row}) is put in by sql_deploy.py without --print-sql\n"
    return "\n".join(["BEGIN;\n", *lines, missing, "COMMIT;\n"])


def deploy(deployment: Deployment, database: Database) -> str:
    """Do it, and return what came of it: a line, and one more for each setting of all models that it changed.

    Raises:
        ValueError: there is no such server, it may not be done, or the server cannot run it.
    """
    parts = read_parts(deployment.model)
    try_parts(parts)
    code = deployment.server_python or own_code()
    try:
        with database.connect() as connection:
            _check_rights(connection)
            connection.execute("CREATE EXTENSION IF NOT EXISTS plpython3u")
            python = check_server(connection, code)
            before = read_body(connection, deployment.schema)
            for statement in statements(deployment, code):
                connection.execute(statement)
            version, is_new = _register(connection, deployment, parts)
            # Built here once, so that nobody's query is the first to find out.
            use = sql.SQL("SELECT {}(%s, %s)").format(sql.Identifier(deployment.schema, "_use"))
            connection.execute(use, (deployment.name, version))
    except (errors.FeatureNotSupported, errors.UndefinedFile) as error:
        raise ValueError(
            f"Received: a server without PL/Python ({told(error)}). Expected: it; Debian: apt-get install "
            "postgresql-plpython3-15."
        ) from error
    except psycopg.Error as error:
        raise ValueError(
            refusal(error, "a database, and a table, that can be set up; nothing was changed")
        ) from error
    done = "deployed" if is_new else "was there already"
    first = f"{deployment.schema}: {deployment.name} version {version} {done} ({python})"
    return "\n".join([first, *tell_changes(before, deployment)])


def _check_rights(connection: psycopg.Connection[Any]) -> None:
    row = connection.execute("SHOW is_superuser").fetchone()
    if row is None or row[0] != "on":
        raise ValueError(
            f"Received: user {connection.info.user}, who is no superuser. Expected: one; functions in PL/Python can be "
            "made by nobody else."
        )


def _register(
    connection: psycopg.Connection[Any], deployment: Deployment, parts: Parts
) -> tuple[int, bool]:
    """Return the model's version, and whether it is a new one: what differs from the newest."""
    models = sql.Identifier(deployment.schema, "models")
    connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(models))
    newest = connection.execute(
        sql.SQL("SELECT version, checksum FROM {} WHERE name = %s ORDER BY version DESC").format(
            models
        ),
        (deployment.name,),
    ).fetchone()
    if newest is not None and newest[1] == parts.checksum:
        return int(newest[0]), False
    version = 1 if newest is None else int(newest[0]) + 1
    connection.execute(
        sql.SQL(
            "INSERT INTO {} (name, version, network, weights, preprocessing, checksum) "
            "VALUES (%b, %b, %b, %b, %s, %b)"
        ).format(models),
        (
            *(deployment.name, version, parts.network, parts.weights),
            *(parts.preprocessing, parts.checksum),
        ),
    )
    return version, True
