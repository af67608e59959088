"""Every row is scored exactly once, even if workers or the server are killed and pictures are bad."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from ddl.scoring.client.job import Job
from ddl.scoring.client.results_table import prepare
from tests.scoring.cluster import Cluster
from tests.scoring.conftest import encode, fill, picture, pixels
from tests.scoring.run import score, start_scoring

Db = psycopg.Connection[Any]

# Records which backend writes each result, in the same transaction.
AUDIT = """
DROP TABLE IF EXISTS audit;
CREATE TABLE audit (id bigint, backend integer);
GRANT ALL ON audit TO PUBLIC;
CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO audit VALUES (NEW.id, pg_backend_pid()); RETURN NEW; END';
CREATE OR REPLACE TRIGGER note AFTER UPDATE ON {table}_scores FOR EACH ROW EXECUTE FUNCTION note();
"""


def ready(root: Db, table: str, contents: list[bytes | None]) -> None:
    fill(root, table, contents)
    root.execute(f"GRANT SELECT ON {table} TO lab")


def make_results(root: Db, table: str) -> None:
    """Create the table of results before the script does, so that a trigger can be added."""
    with root.transaction():
        prepare(root, Job(table=table, model="cells"))
    root.execute(f"TRUNCATE {table}_scores")
    root.execute(f"ALTER TABLE {table}_scores OWNER TO lab")


def results(connection: Db, table: str) -> list[tuple[Any, ...]]:
    query = f"SELECT id, mask, label, probability, error FROM {table}_scores ORDER BY id"
    return connection.execute(query).fetchall()


def workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the current worker processes of a command."""
    children = psutil.Process(process.pid).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def wait_for(happened: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def scored(cluster: Cluster, table: str) -> int:
    """Return the number of scored rows; 0 while the server does not answer."""
    try:
        with cluster.connect() as connection:
            row = connection.execute(f"SELECT count(scored_at) FROM {table}_scores").fetchone()
            return int(row[0]) if row else 0
    except psycopg.Error:
        return 0


def test_killed_workers_and_restarts_score_every_row_once(cluster: Cluster, root: Db) -> None:
    ready(root, "many", [picture(n) for n in range(1000)])
    make_results(root, "many")
    root.execute(AUDIT.format(table="many"))
    process = start_scoring("--table", "many", "--model", "cells", "--batch-size", "4")
    try:
        wait_for(lambda: scored(cluster, "many") > 100)
        workers(process)[0].kill()
        wait_for(lambda: scored(cluster, "many") > 250)
        root.close()
        cluster.ctl("-m", "fast", "restart")
        wait_for(lambda: scored(cluster, "many") > 450)
        cluster.ctl("-m", "immediate", "restart")
        wait_for(lambda: scored(cluster, "many") > 600)
        for worker in workers(process):
            worker.kill()
        stdout, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, stderr
    assert "public.many_scores: 1000 scored by cells version 1, 0 with errors" in stdout
    with cluster.connect() as again:
        found = results(again, "many")
        assert [row[0] for row in found] == list(range(1000))
        assert all(row[1] is not None and row[4] is None for row in found)
        query = "SELECT count(*), count(DISTINCT id), count(DISTINCT backend) FROM audit"
        audit = again.execute(query).fetchone()
        assert audit is not None
        assert audit[:2] == (1000, 1000)
        assert audit[2] > 4  # two workers, again after each restart


def test_a_bad_picture_becomes_an_error_on_its_row(root: Db) -> None:
    good, cut = picture(1), picture(2)[:-700]
    ready(root, "mixed", [good, b"no picture", None, cut, b"", good])
    status, stdout, _ = score("--table", "mixed", "--model", "cells", "--workers", "1")
    assert (
        status,
        "2 scored by cells version 1, 4 with errors (first: Received: a picture" in stdout,
    ) == (0, True)
    found = results(root, "mixed")
    assert [row[1] is not None for row in found] == [True, False, False, False, False, True]
    assert [row[4] is None for row in found] == [row[1] is not None for row in found]
    assert "damaged or not a picture" in found[1][4]
    assert found[2][4] == "Received: NULL. Expected: a picture."


def test_new_rows_are_added_and_old_ones_stay(root: Db) -> None:
    flags = ("--table", "growing", "--model", "shade", "--workers", "2")
    ready(root, "growing", [picture(n) for n in range(5)])
    assert score(*flags)[0] == 0
    before = root.execute("SELECT max(scored_at) FROM growing_scores").fetchone()
    root.execute("INSERT INTO growing SELECT id + 5, image FROM growing")
    status, stdout, stderr = score(*flags)
    assert (status, stderr.splitlines()[0]) == (0, "pictures: 5 of 10")
    assert "10 scored by shade version 1" in stdout
    fresh = root.execute("SELECT count(*) FROM growing_scores WHERE scored_at > %s", before)
    assert fresh.fetchone() == (5,)
    assert {row[2] for row in results(root, "growing")} <= {"dark", "middle", "bright"}


def test_file_names_are_scored_too(root: Db, open_folder: Path) -> None:
    root.execute("DROP TABLE IF EXISTS files, files_scores")
    root.execute("CREATE TABLE files (name text PRIMARY KEY)")
    root.execute("INSERT INTO files VALUES ('one.png'), ('../secret.png'), ('gone.png')")
    root.execute("GRANT SELECT ON files TO lab")
    columns = ("--id-column", "name", "--picture-column", "name")
    status, _, stderr = score("--table", "files", "--model", "cells", *columns)
    assert status == 0, stderr
    found = {row[0]: (row[1] is not None, row[4]) for row in results(root, "files")}
    assert found["one.png"] == (True, None)
    assert "not a plain path" in found["../secret.png"][1]
    assert not found["gone.png"][0]


def test_a_picture_that_ends_the_server_process_gets_an_error(cluster: Cluster, root: Db) -> None:
    """For example a picture that needs too much memory. The others in its batch are scored."""
    ready(root, "deadly", [picture(n) for n in range(12)])
    make_results(root, "deadly")
    root.execute(
        "CREATE FUNCTION public.die() RETURNS trigger LANGUAGE plpython3u AS 'import os\n"
        'if TD["new"]["mask"] is not None: os.kill(os.getpid(), 9)\''
    )
    root.execute(
        "CREATE TRIGGER die BEFORE UPDATE ON deadly_scores FOR EACH ROW WHEN (NEW.id = 5) "
        "EXECUTE FUNCTION die()"
    )
    flags = ("--table", "deadly", "--model", "cells", "--workers", "2", "--batch-size", "4")
    status, stdout, stderr = score(*flags)
    assert status == 0, stderr
    assert "11 scored by cells version 1, 1 with errors" in stdout
    with cluster.connect() as again:
        wrong = [(row[0], row[4]) for row in results(again, "deadly") if row[1] is None]
    ((number, error),) = wrong
    assert number == 5
    assert error.startswith("Received: a picture on which the server's process died")


def test_ctrl_c_ends_all_workers_and_the_same_command_continues(cluster: Cluster, root: Db) -> None:
    ready(root, "stopped", [picture(n, 64, 64) for n in range(600)])
    flags = ("--table", "stopped", "--model", "cells", "--batch-size", "2")
    process = start_scoring(*flags)
    wait_for(lambda: scored(cluster, "stopped") > 20)
    members = workers(process)
    os.killpg(process.pid, signal.SIGINT)  # a terminal also sends it to the workers
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert (
        stderr.splitlines()[-1]
        == "sql_score: interrupted; run the same command again to continue where it stopped."
    )
    assert "Traceback" not in stderr
    assert not any(member.is_running() for member in members)
    assert 20 < scored(cluster, "stopped") < 600
    status, stdout, _ = score(*flags)
    assert (status, "600 scored" in stdout) == (0, True)


def test_a_server_that_does_not_come_back_ends_the_job(cluster: Cluster, root: Db) -> None:
    ready(root, "alone", [encode(pixels(n, 64, 64)) for n in range(500)])
    flags = ("--table", "alone", "--model", "cells", "--batch-size", "1", "--reconnect-s", "0.5")
    process = start_scoring(*flags)
    wait_for(lambda: scored(cluster, "alone") > 3)
    root.close()
    cluster.ctl("-m", "fast", "stop")
    try:
        _, stderr = process.communicate(timeout=20)
    finally:
        cluster.ctl("start")
    assert process.returncode == 2, stderr
    assert "The server did not answer for 0.5 s" in stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--table nothing --model cells", "table='nothing'. Expected: a table of this database; names are"),
        ("--table small;drop --model cells", "table='small;drop'. Expected: a table"),
        ("--table small --model cell", "model=cell, version=any. Expected: a deployed model."),
        ("--table small --model cells --version 9", "version=9. Expected: version 1."),
        ("--table small --model cells --schema other", "schema=other, which holds no models"),
        ("--table small --model cells --id-column image", "id_column='image' of small"),
        ("--table small --model cells --picture-column id", "picture_column='id' of small, of type"),
        ("--table small --model cells --results x;y", "results='x;y'. Expected: an existing table, or a name"),
        ("--table small --model cells --results small", "has no column error"),
        ("--table hidden --model cells", "permission denied for table hidden"),
    ],
)  # fmt: skip
def test_what_cannot_be_scored_gets_one_line(
    cluster: Cluster, root: Db, flags: str, message: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from scripts.sql_score import main

    ready(root, "small", [picture(1)])
    fill(root, "hidden", [picture(1)])
    monkeypatch.setenv("PGUSER", "lab")
    monkeypatch.setenv("PGDATABASE", "postgres")
    with pytest.raises(SystemExit) as end:
        main(flags.split())
    stderr = capsys.readouterr().err
    assert (end.value.code, stderr.count("\n")) == (2, 1), stderr
    assert message in stderr
    tables = root.execute(
        "SELECT count(*) FROM pg_class WHERE relname LIKE 'small_%' AND relkind = 'r'"
    )
    assert tables.fetchone() == (0,)
