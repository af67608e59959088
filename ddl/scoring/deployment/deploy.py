"""Deploy the functions and a model to a database in one transaction."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import errors, sql

from ddl.scoring.client.database import Database, message_of, refusal
from ddl.scoring.deployment.changes import describe_changes, read_body
from ddl.scoring.deployment.deployment import Deployment
from ddl.scoring.deployment.exported_model import Parts, read_parts
from ddl.scoring.deployment.functions import create_functions
from ddl.scoring.deployment.probe import check_server, own_code
from ddl.scoring.deployment.rights import grant_rights
from ddl.scoring.deployment.schema import create_schema, prepare_table
from ddl.scoring.in_database.network import open_network


def statements(deployment: Deployment, code: tuple[str, ...]) -> Iterator[sql.Composed]:
    """Yield all statements of a deployment except the one that inserts the model."""
    yield from create_schema(deployment)
    yield from create_functions(deployment, code)
    yield from grant_rights(deployment)
    if deployment.table:
        yield from prepare_table(deployment)


def as_text(deployment: Deployment) -> str:
    """Return the deployment's SQL without the model itself, to read or to run with psql."""
    code = deployment.server_python or own_code()
    lines = [
        f"{statement.as_string(None).strip()};\n" for statement in statements(deployment, code)
    ]
    row = f"{deployment.name}, a row of {deployment.schema}.models"
    missing = f"-- the model itself ({row}) is inserted by sql_deploy.py without --print-sql\n"
    return "\n".join(["BEGIN;\n", *lines, missing, "COMMIT;\n"])


def deploy(deployment: Deployment, database: Database) -> str:
    """Deploy, and return a summary: one line, and one more for each changed setting that affects all models.

    Raises:
        ValueError: no connection, missing rights, or a server that cannot run ddl.
    """
    parts = read_parts(deployment.model)
    if (
        importlib.util.find_spec("openvino") is not None
    ):  # try it here before up to a gigabyte is sent
        open_network(parts.network, parts.weights)
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
            # Load the model once now, so that a model that does not load fails here and not in a user's query.
            use = sql.SQL("SELECT {}(%s, %s)").format(sql.Identifier(deployment.schema, "_use"))
            connection.execute(use, (deployment.name, version))
    except (errors.FeatureNotSupported, errors.UndefinedFile) as error:
        raise ValueError(
            f"Received: a server without PL/Python ({message_of(error)}). Expected: PL/Python installed; on Debian: "
            "apt-get install postgresql-plpython3-15."
        ) from error
    except psycopg.Error as error:
        raise ValueError(
            refusal(error, "a database and a table that this user may change; nothing was changed")
        ) from error
    done = "deployed" if is_new else "was already deployed"
    first = f"{deployment.schema}: {deployment.name} version {version} {done} ({python})"
    return "\n".join([first, *describe_changes(before, deployment)])


def _check_rights(connection: psycopg.Connection[Any]) -> None:
    row = connection.execute("SHOW is_superuser").fetchone()
    if row is None or row[0] != "on":
        raise ValueError(
            f"Received: user {connection.info.user}, who is not a superuser. Expected: a superuser; only they can "
            "create PL/Python functions."
        )


def _register(
    connection: psycopg.Connection[Any], deployment: Deployment, parts: Parts
) -> tuple[int, bool]:
    """Insert the model unless it equals the newest version. Return its version, and whether it is new."""
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
        (deployment.name, version, *dataclasses.astuple(parts), parts.checksum),
    )
    return version, True
