"""Grants as idempotent SQL: the deployment's role gets its rights, and all other grants are revoked."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from ddl.scoring.deployment.deployment import Deployment
from ddl.scoring.deployment.functions import OUTER, signature
from ddl.scoring.deployment.schema import run_block

_REVOKE = """
DECLARE given record;
BEGIN
    FOR given IN
        SELECT 'SCHEMA ' || pg_catalog.quote_ident(n.nspname) AS what, a.grantee
            FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a
            WHERE n.nspname = {schema} AND a.grantee <> n.nspowner
        UNION SELECT 'FUNCTION ' || p.oid::regprocedure, a.grantee
            FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace,
                pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) a
            WHERE n.nspname = {schema} AND pg_catalog.pg_get_userbyid(p.proowner) = {owner} AND a.grantee <> p.proowner
        UNION SELECT 'TABLE ' || c.oid::regclass, a.grantee
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
                pg_catalog.aclexplode(c.relacl) a
            WHERE n.nspname = {schema} AND c.relname IN ('models', 'model_versions') AND a.grantee <> c.relowner
    LOOP
        EXECUTE 'REVOKE ALL ON ' || given.what || ' FROM ' || CASE given.grantee WHEN 0 THEN 'PUBLIC'
            ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(given.grantee)) END || ' CASCADE';
    END LOOP;
END
"""


def grant_rights(deployment: Deployment) -> Iterator[sql.Composed]:
    """Yield the statements that revoke all rights from everyone but the owner, and grant the role its rights."""
    schema, role = sql.Identifier(deployment.schema), sql.Identifier(deployment.role)
    names = {"schema": sql.Literal(deployment.schema), "owner": sql.Literal(deployment.owner)}
    yield run_block(sql.SQL(_REVOKE).format(**names))
    yield sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role)
    view = sql.Identifier(deployment.schema, "model_versions")
    yield sql.SQL("GRANT SELECT ON TABLE {} TO {}").format(view, role)
    for function in OUTER:
        yield sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(
            signature(deployment, function), role
        )
