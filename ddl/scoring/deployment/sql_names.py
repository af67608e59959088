"""Names of tables as flags give them: SCHEMA.TABLE or TABLE, written as it is stored, never folded to small letters."""

from __future__ import annotations

from psycopg import sql


def split_name(name: str) -> tuple[str, ...]:
    """Return schema, if there is one, and table."""
    return tuple(name.split("."))


def quote_name(name: str) -> sql.Identifier:
    """Return a name for a statement; both scripts find the same table by it."""
    return sql.Identifier(*split_name(name))
