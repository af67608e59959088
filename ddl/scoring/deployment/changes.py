"""Settings that a deployment changes for all models: the folders that SQL may read, and the limits of pictures."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ddl.scoring.deployment.deployment import Deployment

if TYPE_CHECKING:
    import psycopg

_BODY = """
SELECT p.prosrc FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %s AND p.proname = '_read_file'
"""
_SETTINGS = re.compile(
    r"^limits = server\.Limits\((\d+), (\d+)\)\nfolders = (\[.*\])$", re.MULTILINE
)


def read_body(connection: psycopg.Connection[Any], schema: str) -> str:
    """Return the Python source that contains the current folders and limits, or an empty string."""
    row = connection.execute(_BODY, (schema,)).fetchone()
    return str(row[0]) if row else ""


def describe_changes(body: str, deployment: Deployment) -> list[str]:
    """Return a line for each setting that differs from those in `body`, which `read_body` returned before."""
    settings = _SETTINGS.search(body)
    if settings is None:
        return []
    pixels, size, folders = settings.groups()
    compared = {
        "folders open to SQL": (_list(ast.literal_eval(folders)), _list(deployment.picture_folder)),
        "pixel limit of pictures": (pixels, str(deployment.pixel_limit)),
        "byte limit of pictures": (size, str(deployment.byte_limit)),
    }
    return [f"{name}: {now} (was {was})" for name, (was, now) in compared.items() if was != now]


def _list(folders: Iterable[str]) -> str:
    return ", ".join(sorted(set(folders))) or "none"
