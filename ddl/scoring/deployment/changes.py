"""Settings that a deployment changes for all models: the folders that SQL may read, and the limits of pictures."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from ddl.scoring.deployment.deployment import Deployment

if TYPE_CHECKING:
    import psycopg

_BODY = """
SELECT p.prosrc FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %s AND p.proname = '_read_file'
"""
_FOLDERS = re.compile(r"^folders = (\[.*\])$", re.MULTILINE)
_LIMITS = re.compile(r"^limits = server\.Limits\((\d+), (\d+)\)$", re.MULTILINE)


def read_body(connection: psycopg.Connection[Any], schema: str) -> str:
    """Return the Python source that contains the current folders and limits, or an empty string."""
    row = connection.execute(_BODY, (schema,)).fetchone()
    return str(row[0]) if row else ""


def describe_changes(body: str, deployment: Deployment) -> list[str]:
    """Return a line for each setting that changed.

    Args:
        body: the source that `read_body` returned before the deployment.
        deployment: the new deployment.
    """
    lines = []
    folders, limits = _FOLDERS.search(body), _LIMITS.search(body)
    if folders:
        before, now = tuple(ast.literal_eval(folders[1])), deployment.picture_folder
        if set(before) != set(now):
            lines.append(f"folders open to SQL: {_list(now)} (was {_list(before)})")
    if limits:
        named = (("pixel", deployment.pixel_limit), ("byte", deployment.byte_limit))
        for (name, now_), was in zip(named, map(int, limits.groups()), strict=True):
            if now_ != was:
                lines.append(f"{name} limit of pictures: {now_} (was {was})")
    return lines


def _list(folders: tuple[str, ...]) -> str:
    return ", ".join(folders) or "none"
