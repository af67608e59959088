"""Refuses tables of which somebody else's code would run with the rights of whoever scores.

A statement on a table runs the code that its owner has attached: triggers, rules, defaults, checks, generated columns,
row security, and functions in indexes, which the planner evaluates. It runs as the user of the statement, perhaps a
superuser. Such code is accepted only where it belongs to the user or to a superuser, who may do anything anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

# What belongs to neither a superuser nor the user. {found} yields (what, owner).
_FOREIGN = """
WITH RECURSIVE tree (oid) AS (
    SELECT %(table)s::regclass::oid
    UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree ON tree.oid = i.inhparent
), object (classid, objid) AS (
    {objects}
), found (what, owner) AS (
    {found}
)
SELECT found.what, pg_get_userbyid(found.owner) FROM found
WHERE found.owner NOT IN (SELECT oid FROM pg_roles WHERE rolsuper OR rolname = current_user)
ORDER BY found.what LIMIT 1
"""

# The functions, operators and types that the objects use.
_USED = """
    SELECT pg_describe_object(d.refclassid, d.refobjid, 0), coalesce(p.proowner, o.oprowner, t.typowner)
    FROM object JOIN pg_depend d ON d.classid = object.classid AND d.objid = object.objid
    LEFT JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
    LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
    LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid AND t.typrelid = 0
    WHERE coalesce(p.proowner, o.oprowner, t.typowner) IS NOT NULL
"""

_OF_A_READ = (
    "SELECT 'pg_class'::regclass::oid, i.indexrelid FROM pg_index i JOIN tree ON tree.oid = i.indrelid",
    "SELECT 'pg_constraint'::regclass::oid, c.oid FROM pg_constraint c JOIN tree ON tree.oid = c.conrelid",
)
_POLICIES = (
    "SELECT 'pg_policy'::regclass::oid, p.oid FROM pg_policy p JOIN tree ON tree.oid = p.polrelid"
)
_STATISTICS = (
    "SELECT 'pg_statistic_ext'::regclass::oid, s.oid FROM pg_statistic_ext s "
    "JOIN tree ON tree.oid = s.stxrelid"
)
_DEFAULTS = (
    "SELECT 'pg_attrdef'::regclass::oid, d.oid FROM pg_attrdef d JOIN tree ON tree.oid = d.adrelid"
)
_TRIGGERS = (
    "SELECT 'pg_trigger'::regclass::oid, t.oid FROM pg_trigger t JOIN tree ON tree.oid = t.tgrelid"
)

_OWNER = """
    SELECT 'the table itself', c.relowner FROM pg_class c JOIN tree ON tree.oid = c.oid
    UNION ALL SELECT 'the type of its column ' || a.attname, t.typowner
    FROM pg_attribute a JOIN tree ON tree.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid WHERE a.attnum > 0
"""

_FORM = """
SELECT c.relkind::text,
    EXISTS (SELECT 1 FROM pg_rewrite r WHERE r.ev_class = c.oid),
    EXISTS (SELECT 1 FROM pg_inherits i WHERE c.oid IN (i.inhparent, i.inhrelid))
FROM pg_class c WHERE c.oid = %(table)s::regclass
"""

_FOREIGN_TABLES = """
WITH RECURSIVE tree (oid) AS (
    SELECT %(table)s::regclass::oid
    UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree ON tree.oid = i.inhparent
)
SELECT c.oid::regclass::text FROM pg_class c JOIN tree ON tree.oid = c.oid WHERE c.relkind = 'f' LIMIT 1
"""

_EVENT_TRIGGERS = """
SELECT e.evtname, pg_get_userbyid(p.proowner) FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid
WHERE e.evtenabled <> 'D'
AND p.proowner NOT IN (SELECT oid FROM pg_roles WHERE rolsuper OR rolname = current_user) LIMIT 1
"""

_SCHEMA = """
SELECT pg_get_userbyid(part.owner), r.rolcanlogin AND NOT r.rolsuper AND r.rolname <> current_user,
    part.owner <> n.nspowner
FROM pg_namespace n JOIN (
    SELECT oid AS schema, nspowner AS owner FROM pg_namespace
    UNION SELECT relnamespace, relowner FROM pg_class WHERE relname = 'model_versions'
    UNION SELECT pronamespace, proowner FROM pg_proc WHERE proname IN ('score', 'score_file')
) part ON part.schema = n.oid JOIN pg_roles r ON r.oid = part.owner WHERE n.nspname = %(schema)s
"""


@contextmanager
def fixed_names(connection: psycopg.Connection[Any]) -> Iterator[list[str]]:
    """Within a transaction, let names mean PostgreSQL's own objects; yield the schemas that the user looks in.

    Otherwise an operator in one of these schemas that fits better than PostgreSQL's own would be called.
    """
    row = connection.execute(
        "SELECT pg_catalog.current_schemas(false)::pg_catalog.text[], pg_catalog.current_setting('search_path')"
    ).fetchone()
    schemas, before = row or ([], "")
    connection.execute("SET LOCAL search_path = pg_catalog, pg_temp")
    yield list(schemas)
    connection.execute("SELECT pg_catalog.set_config('search_path', %s, true)", (before,))


def check_schema(connection: psycopg.Connection[Any], schema: str) -> None:
    """Refuse a schema of models whose functions somebody can change who may log in. Call it with fixed names.

    Raises:
        ValueError: names the role.
    """
    for owner, can_log_in, differs in connection.execute(_SCHEMA, {"schema": schema}):
        if can_log_in or differs:
            raise ValueError(
                f"Received: schema={schema}, of which a part belongs to role {owner}. Expected: a schema that "
                "scripts/sql_deploy.py created, whose owner cannot log in."
            )


def check_creation(connection: psycopg.Connection[Any], results: str) -> None:
    """Refuse to create a table where an event trigger would run another role's function. Call it with fixed names."""
    row = connection.execute(_EVENT_TRIGGERS).fetchone()
    if row is not None:
        raise _refusal(connection, "results", results, f"the event trigger {row[0]}", row[1])


def check_results(connection: psycopg.Connection[Any], name: str, place: sql.Identifier) -> None:
    """Refuse a table of results to which another role has attached code. Call it with fixed names.

    Raises:
        ValueError: says what, whose it is, and the remedy.
    """
    table = {"table": place.as_string(connection)}
    kind, has_rules, has_relatives = connection.execute(_FORM, table).fetchone() or ("", 0, 0)
    if kind != "r" or has_rules or has_relatives:
        what = "has rules" if has_rules else "has partitions or inherits"
        raise ValueError(
            f"Received: results={name}, which {what}. Expected: a plain table, or a new --results."
        )
    _check(connection, "results", name, table, (*_OF_A_READ, _DEFAULTS, _TRIGGERS), _OWNER)


def check_pictures(connection: psycopg.Connection[Any], name: str, place: sql.Identifier) -> None:
    """Refuse a table of pictures that runs another role's code when it is read. Call it with fixed names.

    Raises:
        ValueError: says what, whose it is, and the remedy.
    """
    table = {"table": place.as_string(connection)}
    row = connection.execute(_FOREIGN_TABLES, table).fetchone()
    if row is not None:
        raise ValueError(
            f"Received: table={name} with the foreign table {row[0]}. Expected: pictures of this database."
        )
    objects = list(_OF_A_READ)
    if connection.info.server_version >= 180000:
        objects.append(f"{_DEFAULTS} JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum "
                       "WHERE a.attgenerated = 'v'")  # fmt: skip
    _check(connection, "table", name, table, tuple(objects), "")


def _check(
    connection: psycopg.Connection[Any],
    setting: str,
    name: str,
    table: dict[str, str],
    objects: tuple[str, ...],
    also: str,
) -> None:
    version = connection.info.server_version
    objects += (_POLICIES, _STATISTICS) if version >= 140000 else (_POLICIES,)  # of expressions
    query = _FOREIGN.replace("{objects}", " UNION ALL ".join(objects))
    query = query.replace("{found}", f"{_USED} UNION ALL {also}" if also else _USED)
    row = connection.execute(query, table).fetchone()
    if row is not None:
        raise _refusal(connection, setting, name, row[0], row[1])


def _refusal(
    connection: psycopg.Connection[Any], setting: str, name: str, what: str, owner: str
) -> ValueError:
    user = connection.info.user
    remedy = "pictures without it; drop it, or copy the pictures into a table of your own"
    if setting == "results":
        remedy = f"a table of your own: ALTER TABLE ... OWNER TO {user} and drop what others added, or a new --results"
    return ValueError(
        f"Received: {setting}={name}, where {what} belongs to role {owner}, whose code would run with the rights of "
        f"{user}. Expected: {remedy}. Scoring needs no superuser."
    )
