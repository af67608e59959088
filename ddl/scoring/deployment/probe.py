"""Check that the server's Python can run ddl, by a temporary function in the server."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import sql

if TYPE_CHECKING:
    import psycopg

# Packages that ddl imports in the server.
_PACKAGES = "openvino numpy scipy skimage PIL tifffile imageio lazy_loader networkx packaging absl"

_PROBE = """
import json, os, stat, sys
found = {"python": "%d.%d" % sys.version_info[:2], "problem": "", "open": ""}
for path in reversed(paths):
    if path not in sys.path:
        sys.path.insert(0, path)
def look(path):
    try:
        if os.stat(path).st_mode & stat.S_IWOTH:
            found["open"] = path
    except FileNotFoundError:
        pass
for path in paths:
    try:
        os.listdir(path)
        look(path)
        for package in packages:
            look(os.path.join(path, package))
        for folder, _, files in os.walk(os.path.join(path, "ddl")):
            look(folder)
            for name in files:
                look(os.path.join(folder, name))
    except OSError as error:
        found["problem"] = "%s: %s" % (error.filename or path, error.strerror)
if not found["problem"] and not found["open"]:
    try:
        from ddl.scoring import server
        found["openvino"] = server.openvino_version()
    except Exception as error:
        found["problem"] = "%s: %s" % (type(error).__name__, error)
return json.dumps(found)
"""


def own_code() -> tuple[str, ...]:
    """Return the folders from which this Python imports ddl and openvino."""
    spec = importlib.util.find_spec("openvino")
    if spec is None or spec.origin is None:
        raise ValueError(
            "Received: no server_python, and a Python without OpenVINO. Expected: OpenVINO installed here, or "
            "--server-python with the folders of ddl and openvino on the server."
        )
    folders = (Path(__file__).resolve().parents[3], Path(spec.origin).resolve().parents[1])
    return tuple(dict.fromkeys(map(str, folders)))


def check_server(connection: psycopg.Connection[Any], code: Sequence[str]) -> str:
    """Return the versions of Python and OpenVINO in the server.

    Raises:
        ValueError: the server cannot import ddl from these folders.
    """
    connection.execute(
        sql.SQL(
            "CREATE FUNCTION pg_temp.ddl_probe(paths text[], packages text[]) RETURNS text LANGUAGE plpython3u AS {}"
        ).format(sql.Literal(_PROBE))
    )
    row = connection.execute(
        "SELECT pg_temp.ddl_probe(%s, %s)", (list(code), _PACKAGES.split())
    ).fetchone()
    found: dict[str, str] = json.loads(row[0]) if row else {}
    connection.execute("DROP FUNCTION pg_temp.ddl_probe(text[], text[])")
    refuse_misfit(found, code)
    return f"Python {found['python']}, OpenVINO {found['openvino']}"


def refuse_misfit(found: dict[str, str], code: Sequence[str]) -> None:
    """Refuse folders that are for another Python, world-writable, or not importable.

    Raises:
        ValueError: one line that says what is wrong and what to do.
    """
    for folder in code:
        version = re.search(r"/python(\d+\.\d+)/", f"{folder}/")
        if version and version[1] != found["python"]:
            raise ValueError(
                f"Received: {folder} for a server whose Python is {found['python']}. Expected: packages for that "
                "Python; create a virtual environment with it and pass its site-packages as --server-python."
            )
    if found["open"]:
        raise ValueError(
            f"Received: server_python={found['open']}, which is world-writable. Expected: code that only its owner can "
            "change: chmod -R o-w."
        )
    if found["problem"]:
        why = " ".join(found["problem"].split())[:300]
        raise ValueError(
            f"Received: a server that cannot import ddl from {', '.join(code)} ({why}). Expected: --server-python "
            "folders with ddl, openvino, numpy and scikit-image that the server's user can read."
        )
