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
report = {"python": "%d.%d" % sys.version_info[:2], "problem": "", "open": ""}
for path in reversed(paths):
    if path not in sys.path:
        sys.path.insert(0, path)
def check(path):
    try:
        if os.stat(path).st_mode & stat.S_IWOTH:
            report["open"] = path
    except FileNotFoundError:
        pass
for path in paths:
    try:
        os.listdir(path)
        check(path)
        for package in packages:
            check(os.path.join(path, package))
        for folder, _, files in os.walk(os.path.join(path, "ddl")):
            check(folder)
            for name in files:
                check(os.path.join(folder, name))
    except OSError as error:
        report["problem"] = "%s: %s" % (error.filename or path, error.strerror)
if not report["problem"] and not report["open"]:
    try:
        from ddl.scoring import server
        report["openvino"] = server.openvino_version()
    except Exception as error:
        report["problem"] = "%s: %s" % (type(error).__name__, error)
return json.dumps(report)
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
    report: dict[str, str] = json.loads(row[0]) if row else {}
    connection.execute("DROP FUNCTION pg_temp.ddl_probe(text[], text[])")
    check_report(report, code)
    return f"Python {report['python']}, OpenVINO {report['openvino']}"


def check_report(report: dict[str, str], code: Sequence[str]) -> None:
    """Refuse folders that are for another Python, world-writable, or not importable.

    Raises:
        ValueError: one line that says what is wrong and what to do.
    """
    for folder in code:
        version = re.search(r"/python(\d+\.\d+)/", f"{folder}/")
        if version and version[1] != report["python"]:
            raise ValueError(
                f"Received: {folder} for a server whose Python is {report['python']}. Expected: packages for that "
                "Python; create a virtual environment with it and pass its site-packages as --server-python."
            )
    if report["open"]:
        raise ValueError(
            f"Received: server_python={report['open']}, which is world-writable. Expected: code that only its owner "
            "can change: chmod -R o-w."
        )
    if report["problem"]:
        why = " ".join(report["problem"].split())[:300]
        raise ValueError(
            f"Received: a server that cannot import ddl from {', '.join(code)} ({why}). Expected: --server-python "
            "folders with ddl, openvino, numpy and scikit-image that the server's user can read."
        )
