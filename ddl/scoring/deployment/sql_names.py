"""Table names in flags: SCHEMA.TABLE or TABLE, case-sensitive, exactly as stored."""

from __future__ import annotations

from psycopg import sql


def split_name(name: str) -> tuple[str, ...]:
    """Return (schema, table), or (table,) for a name without a schema."""
    return tuple(name.split("."))


def quote_name(name: str) -> sql.Identifier:
    """Quote a table name for a statement. Both scripts use it, so that they find the same table."""
    return sql.Identifier(*split_name(name))
