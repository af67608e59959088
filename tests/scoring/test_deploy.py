"""Deployments: atomic, repeatable, refused where they cannot work, and with clauses for Greenplum."""

from __future__ import annotations

import dataclasses
import re
import tempfile
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ddl.scoring.client.database import Database
from ddl.scoring.client.job import Job
from ddl.scoring.client.results_table import _create
from ddl.scoring.deployment.deploy import as_text
from ddl.scoring.deployment.deploy import deploy as run_deployment
from ddl.scoring.deployment.deployment import Deployment
from ddl.scoring.deployment.exported_model import read_parts
from ddl.scoring.deployment.functions import OUTER
from ddl.scoring.deployment.probe import check_report
from tests.scoring.cluster import Cluster
from tests.scoring.exported import bright_model
from tests.scoring.run import deploy

Db = psycopg.Connection[Any]
CODE = ("/opt/ddl", "/opt/venv/lib/python3.11/site-packages")


def count(connection: Db, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def test_only_a_superuser_can_deploy(
    cluster: Cluster, models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGUSER", "lab")
    monkeypatch.setenv("PGDATABASE", "postgres")
    with pytest.raises(ValueError, match="user lab, who is not a superuser"):
        deploy(models["cells"], "cells")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"schema": "public"}, "schema public, which belongs to pg_database_owner"),
        ({"schema": "fresh", "server_python": ("/nowhere",)}, "cannot import ddl from /nowhere"),
        ({"schema": "fresh", "server_python": ("/tmp",)}, "server_python=/tmp, which is world-writable"),
        ({"schema": "fresh", "table": "gone"}, 'relation "gone" does not exist. Expected: a database'),
    ],
)  # fmt: skip
def test_a_refused_deployment_changes_nothing(
    root: Db, models: dict[str, Path], fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        deploy(models["cells"], "cells", **fields)
    assert count(root, "SELECT count(*) FROM pg_namespace WHERE nspname = 'fresh'") == 0
    assert count(root, "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'fresh%'") == 0


@pytest.mark.parametrize("place", ["ddl/scoring/server.py", "ddl/scoring", "openvino"])
def test_world_writable_code_is_refused_at_any_depth(
    root: Db, models: dict[str, Path], place: str
) -> None:
    with tempfile.TemporaryDirectory(prefix="ddl-code") as temporary:
        folder = Path(temporary)
        (folder / "ddl" / "scoring").mkdir(parents=True)
        (folder / "ddl" / "scoring" / "server.py").write_text("")
        (folder / "openvino").mkdir()
        folder.chmod(0o755)
        path = folder / place
        path.chmod(path.stat().st_mode | 0o002)
        with pytest.raises(ValueError, match=f"server_python={path}, which is world-writable"):
            deploy(models["cells"], "cells", server_python=(temporary,))


def test_a_network_that_openvino_refuses_is_not_deployed(root: Db, tmp_path: Path) -> None:
    path = bright_model(tmp_path, "damaged")
    path.write_text(path.read_text().replace("ReduceMean", "ReduceNothing"))
    with pytest.raises(ValueError, match="a network that OpenVINO cannot load"):
        deploy(path, "damaged")
    assert count(root, "SELECT count(*) FROM ddl.models WHERE name = 'damaged'") == 0


def test_a_missing_server_gets_a_one_line_error(models: dict[str, Path]) -> None:
    database = Database("host=127.0.0.1 port=1 connect_timeout=1")
    with pytest.raises(ValueError, match=r"^Received: connection failed.*refused") as caught:
        run_deployment(Deployment(models["cells"], name="cells"), database)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"python": "3.12"}, "for a server whose Python is 3.12. Expected: packages for that"),
        ({"python": "3.11", "open": "/opt/ddl"}, "server_python=/opt/ddl, which is world-writable"),
        ({"python": "3.11", "problem": "ImportError: x\ny"}, "cannot import ddl from /opt/ddl, "),
    ],
)
def test_a_server_python_of_another_version_is_refused(found: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        check_report({"open": "", "problem": "", **found}, CODE)
    check_report({"python": "3.11", "open": "", "problem": ""}, CODE)


def test_the_printed_sql_can_be_run_twice(cluster: Cluster, models: dict[str, Path]) -> None:
    """Also with names that would end a literal in SQL or in Python."""
    folders = ("/srv/it's", '/srv/"""', "/srv/\\'; import os #")
    deployment = Deployment(
        models["cells"], name="cells", schema="hand", role="hand_user", picture_folder=folders
    )
    text = as_text(deployment)
    with cluster.connect() as connection:
        connection.execute(text)
        connection.execute(text)
        body = connection.execute(
            "SELECT prosrc FROM pg_proc WHERE proname = '_read_file' AND pronamespace = 'hand'::regnamespace"
        ).fetchone()
        assert body is not None
        (line,) = [line for line in body[0].splitlines() if line.startswith("folders = ")]
        assert line == f"folders = {list(folders)!a}"
        with pytest.raises(psycopg.Error, match=r"'x.png', which does not exist"):
            connection.execute("SELECT hand.img_inference('x.png')")


def test_a_former_role_loses_its_rights(root: Db, models: dict[str, Path]) -> None:
    old = Deployment(models["cells"], name="cells", schema="moved", role="moved_first")
    root.execute(as_text(old))
    root.execute('CREATE ROLE "Odd one"')
    root.execute('GRANT USAGE ON SCHEMA moved TO "Odd one" WITH GRANT OPTION')
    root.execute('GRANT SELECT ON moved.model_versions, moved.models TO "Odd one", PUBLIC')
    root.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA moved TO PUBLIC")
    root.execute(as_text(dataclasses.replace(old, role="moved_second")))
    rights = (
        "SELECT has_schema_privilege(r, 'moved', 'USAGE'), has_table_privilege(r, 'moved.model_versions', 'SELECT'), "
        "has_table_privilege(r, 'moved.models', 'SELECT'), (SELECT count(*) FROM pg_proc WHERE pronamespace = "
        "'moved'::regnamespace AND has_function_privilege(r, oid, 'EXECUTE')) FROM unnest(%s::text[]) r"
    )
    roles = ["moved_first", "Odd one", "moved_second"]
    none = (False, False, False, 0)
    assert root.execute(rights, (roles,)).fetchall() == [
        none,
        none,
        (True, True, False, len(OUTER)),
    ]


def test_clauses_for_postgresql_and_for_greenplum(models: dict[str, Path]) -> None:
    """Greenplum was not available; these are the clauses that its manual requires."""
    here = Deployment(models["cells"], name="cells", server_python=CODE, table="scans")
    plain, green = as_text(here), as_text(dataclasses.replace(here, greenplum=True))
    functions = plain.count("CREATE OR REPLACE FUNCTION")
    assert plain.count("PARALLEL SAFE COST 1000000") == functions - 1  # all but the trigger's
    assert plain.count("SET search_path = pg_catalog, pg_temp") == functions
    assert "DISTRIBUTED" not in plain
    assert 'ALTER TABLE "scans" SET (parallel_workers = 2)' in plain
    assert "PARALLEL SAFE" not in green
    assert "TRIGGER" not in green
    assert green.count("DISTRIBUTED REPLICATED") == 1
    assert "SET search_path = pg_catalog, pg_temp" in green
    assert "parallel_workers" not in green


def test_results_are_distributed_by_their_id_on_greenplum() -> None:
    statements: list[str] = []

    class Listener:
        def execute(self, statement: Any) -> None:
            statements.append(statement.as_string(None))

    job = Job(table="scans", model="cells", workers=1, greenplum=True)
    _create(Listener(), job, ("public", "scans_scores"), "bigint")  # type: ignore[arg-type]
    assert "PRIMARY KEY (id, model, version)\n) DISTRIBUTED BY (id)" in statements[0]


@pytest.mark.parametrize(
    "dsn",
    [
        "host=db user=me password=hunter2",
        "postgresql://me:hunter2@db/lab",
        "postgresql://db/lab?password=hunter2",
        "host=db sslpassword=hunter2",
        "host=db password='hunter2",
    ],
)
def test_a_password_on_the_command_line_is_refused_and_not_repeated(dsn: str) -> None:
    with pytest.raises(ValueError, match="Expected: ") as caught:
        Database(dsn)
    assert "hunter2" not in str(caught.value)


def test_a_service_file_gives_the_connection(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"host={cluster.folder}", f"port={cluster.port}", "user=postgres", "dbname=postgres"]
    (tmp_path / "services").write_text("\n".join(["[lab]", *lines, ""]))
    for name in cluster.environment:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    with Database(service="lab").connect(jit="off") as connection:
        assert connection.execute("SHOW jit").fetchone() == ("off",)


def test_an_incomplete_model_is_refused(tmp_path: Path) -> None:
    path = bright_model(tmp_path)
    parts = read_parts(path)
    assert parts.checksum != dataclasses.replace(parts, weights=parts.weights + b"x").checksum
    path.with_suffix(".bin").unlink()
    with pytest.raises(ValueError, match=r"without bright.bin"):
        read_parts(path)


def test_truncated_weights_are_refused(tmp_path: Path) -> None:
    path = bright_model(tmp_path)
    weights = path.with_suffix(".bin")
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    message = (
        f"bright.bin of {len(whole) - 1} bytes, which is truncated. Expected: {len(whole)} bytes"
    )
    with pytest.raises(ValueError, match=message):
        read_parts(path)


def test_an_error_of_the_server_appears_once(root: Db, models: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="schema public, which belongs") as caught:
        deploy(models["cells"], "cells", schema="public")
    assert str(caught.value).count("Received: ") == 1


def test_changes_for_all_models_are_listed(root: Db, models: dict[str, Path]) -> None:
    fields: dict[str, Any] = {"schema": "changed", "picture_folder": ("/srv/it's", "/pics")}
    assert deploy(models["cells"], "cells", **fields).count("\n") == 0
    assert deploy(models["cells"], "cells", **fields).count("\n") == 0
    _, *changes = deploy(models["shade"], "shade", schema="changed", byte_limit=7).splitlines()
    assert changes == [
        "folders open to SQL: none (was /pics, /srv/it's)",
        "byte limit of pictures: 7 (was 100000000)",
    ]
