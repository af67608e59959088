"""Schema, roles and the table of models, as idempotent SQL."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from ddl.scoring.deployment.deployment import Deployment

_MAKE_ROLE = """
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {name}) THEN
        CREATE ROLE {role} NOLOGIN;
    ELSIF {is_owner} AND EXISTS (
        SELECT FROM pg_catalog.pg_roles WHERE rolname = {name} AND (rolsuper OR rolcanlogin)
    ) THEN
        RAISE EXCEPTION 'Received: role %, which can log in or is a superuser. Expected: an owner role without these '
            'rights; choose another --schema.', {name};
    END IF;
END
"""

_CHECK_SCHEMA = """
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = {schema}
               AND pg_catalog.pg_get_userbyid(nspowner) <> {owner}) THEN
        RAISE EXCEPTION 'Received: schema %, which belongs to %. Expected: a new schema.', {schema},
            (SELECT pg_catalog.pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace WHERE nspname = {schema});
    END IF;
END
"""

_MODELS = """
CREATE TABLE IF NOT EXISTS {models} (
    name text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    network bytea NOT NULL,
    weights bytea NOT NULL,
    preprocessing json NOT NULL,
    checksum text NOT NULL,
    deployed_at timestamp with time zone NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version)
){distribution}
"""

_VERSIONS = """
CREATE OR REPLACE VIEW {view} AS
    SELECT name, version, preprocessing->>'target' AS target, (preprocessing->>'classes')::integer AS classes,
           octet_length(weights) AS weight_bytes, checksum, deployed_at
    FROM {models}
"""

_IMMUTABLE = """
BEGIN
    RAISE EXCEPTION 'Received: an update of model %, version %. Expected: a new version; deploy it with sql_deploy.py.',
        OLD.name, OLD.version;
END
"""


def create_schema(deployment: Deployment) -> Iterator[sql.Composed]:
    """Yield the statements that create the roles, the schema and the table of models."""
    schema, owner = sql.Identifier(deployment.schema), sql.Identifier(deployment.owner)
    yield sql.SQL("CREATE EXTENSION IF NOT EXISTS plpython3u").format()
    yield _make_role(deployment.owner, is_owner=True)
    yield _make_role(deployment.role, is_owner=False)
    names = {"schema": sql.Literal(deployment.schema), "owner": sql.Literal(deployment.owner)}
    yield run_block(sql.SQL(_CHECK_SCHEMA).format(**names))
    yield sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(schema, owner)
    yield from _create_models(deployment)


def prepare_table(deployment: Deployment) -> Iterator[sql.Composed]:
    """Yield the statements that set up the table of pictures for parallel queries."""
    table = quote_table(deployment.table)
    column = sql.Identifier(deployment.picture_column)
    # Pictures are already compressed; compressing them again costs time at every write and read.
    yield sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET STORAGE EXTERNAL").format(table, column)
    if not deployment.greenplum:
        # Large pictures are stored out of line (TOAST), so the table looks too small for a parallel query.
        yield sql.SQL("ALTER TABLE {} SET (parallel_workers = {})").format(
            table, sql.Literal(deployment.parallel_workers)
        )


def quote_table(name: str) -> sql.Identifier:
    """Quote SCHEMA.TABLE or TABLE, case-sensitive. Both scripts use it, so that they find the same table."""
    return sql.Identifier(*name.split("."))


def _create_models(deployment: Deployment) -> Iterator[sql.Composed]:
    schema, owner = deployment.schema, sql.Identifier(deployment.owner)
    models, view = sql.Identifier(schema, "models"), sql.Identifier(schema, "model_versions")
    # In Greenplum a function on a segment can read only tables that are replicated to every segment.
    where = sql.SQL(" DISTRIBUTED REPLICATED" if deployment.greenplum else "")
    yield sql.SQL(_MODELS).format(models=models, distribution=where)
    yield sql.SQL("ALTER TABLE {} OWNER TO {}").format(models, owner)
    yield sql.SQL("ALTER TABLE {} ALTER COLUMN weights SET STORAGE EXTERNAL").format(models)
    yield sql.SQL(_VERSIONS).format(view=view, models=models)
    yield sql.SQL("ALTER VIEW {} OWNER TO {}").format(view, owner)
    if deployment.greenplum:  # Greenplum has no such triggers; only the owner may write anyway
        return
    trigger = sql.Identifier(schema, "_refuse_change")
    yield sql.SQL(
        "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS {}"
    ).format(trigger, sql.Literal(_IMMUTABLE))
    yield sql.SQL("ALTER FUNCTION {}() OWNER TO {}").format(trigger, owner)
    yield sql.SQL("DROP TRIGGER IF EXISTS immutable ON {}").format(models)
    yield sql.SQL(
        "CREATE TRIGGER immutable BEFORE UPDATE ON {} FOR EACH ROW EXECUTE PROCEDURE {}()"
    ).format(models, trigger)


def _make_role(name: str, *, is_owner: bool) -> sql.Composed:
    return run_block(
        sql.SQL(_MAKE_ROLE).format(
            name=sql.Literal(name), role=sql.Identifier(name), is_owner=sql.Literal(is_owner)
        )
    )


def run_block(body: sql.Composed) -> sql.Composed:
    """Return the DO statement that runs a block of PL/pgSQL."""
    return sql.SQL("DO {}").format(sql.Literal(body.as_string(None)))
