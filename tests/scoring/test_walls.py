"""Obstacles for a job: settings of the database, locks, missing rights, and Greenplum."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ddl.scoring.client.database import Database, refusal
from ddl.scoring.client.job import Job
from ddl.scoring.client.results_table import prepare
from ddl.scoring.client.score_rows import UnscoredRows
from ddl.scoring.client.worker import Worker, connect
from tests.scoring.cluster import Cluster
from tests.scoring.conftest import fill, picture
from tests.scoring.run import deploy, score

Db = psycopg.Connection[Any]


def setting(connection: Db, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return str(row[0])


def test_locking_rows_needs_no_sort(cluster: Cluster, root: Db) -> None:
    """The index returns unscored rows in order; sorting all of them for every batch would be quadratic."""
    root.execute("DROP TABLE IF EXISTS long_, long__scores")
    root.execute("CREATE TABLE long_ (id bigint PRIMARY KEY, image bytea)")
    root.execute("INSERT INTO long_ SELECT n FROM generate_series(1, 5000) n")
    target = prepare(root, Job(table="long_", model="cells"))

    class Explained:
        """A connection that returns the query plan of each statement."""

        def execute(self, statement: Any, values: Any) -> Any:
            return root.execute("EXPLAIN " + statement.as_string(None), values)

    plan = "\n".join(UnscoredRows(Explained(), target).lock(8))  # type: ignore[arg-type]
    assert "Index" in plan, plan
    assert "Sort" not in plan, plan
    with root.transaction():
        assert UnscoredRows(root, target).lock(3) == ["1", "2", "3"]


def test_settings_of_the_dsn_are_kept_and_0_means_no_timeout(cluster: Cluster) -> None:
    database = Database("options='-c work_mem=5MB -c default_transaction_isolation=serializable'")
    with connect(database, 0) as connection:
        assert setting(connection, "work_mem") == "5MB"
        assert setting(connection, "statement_timeout") == "0"
        assert setting(connection, "transaction_isolation") == "read committed"
        assert setting(connection, "jit") == "off"


def test_on_greenplum_one_worker_scores_without_skipping(root: Db) -> None:
    """On a table created beforehand, because PostgreSQL has no DISTRIBUTED BY."""
    fill(root, "green", [picture(n) for n in range(5)])
    prepare(root, Job(table="green", model="cells"))
    root.execute("ALTER TABLE green_scores OWNER TO lab")
    root.execute("GRANT SELECT ON green TO lab")
    flags = ("--table", "green", "--model", "cells", "--greenplum", "true", "--workers", "1")
    status, stdout, stderr = score(*flags)
    assert status == 0, stderr
    assert re.search(r"5 scored by cells version \d+, 0 with errors", stdout), stdout


def test_both_scripts_find_names_with_capitals(root: Db, models: dict[str, Path]) -> None:
    root.execute('DROP TABLE IF EXISTS "Slides", "Slide_Scores"')
    root.execute('CREATE TABLE "Slides" (id bigint PRIMARY KEY, image bytea)')
    deploy(models["cells"], "cells", table="Slides")
    job = Job(table="Slides", model="cells", results="Slide_Scores")
    query = """SELECT count(*) FROM pg_index WHERE indrelid = '"Slide_Scores"'::regclass"""
    for _ in range(3):
        assert prepare(root, job).results == ("public", "Slide_Scores")
        assert root.execute(query).fetchone() == (2,)
    with pytest.raises(ValueError, match="table='slides'"):
        prepare(root, Job(table="slides", model="cells"))


def test_results_are_looked_up_in_the_schema_of_the_pictures(root: Db) -> None:
    root.execute("DROP SCHEMA IF EXISTS aside CASCADE")
    root.execute("CREATE SCHEMA aside")
    root.execute("CREATE TABLE aside.slides (id bigint PRIMARY KEY, image bytea)")
    job = Job(table="aside.slides", model="cells", results="found")
    assert [prepare(root, job).results for _ in range(2)] == [("aside", "found")] * 2


@pytest.mark.parametrize(
    ("mode", "before", "message"),
    [
        ("ACCESS EXCLUSIVE", 2, "Claiming unscored pictures took longer than --timeout-s 0.1, 3"),
        # Each batch locks the table against new triggers, so a lock against writing stops it at the same place.
        ("SHARE", 2, "Claiming unscored pictures took longer than --timeout-s 0.1, 3"),
    ],
)
def test_a_locked_table_of_results_ends_the_job(
    cluster: Cluster, root: Db, mode: str, before: int, message: str
) -> None:
    fill(root, "barred", [picture(1)])
    target = prepare(root, Job(table="barred", model="cells", timeout_s=0.1))
    worker = Worker(Database(), target)
    with cluster.connect() as other, other.transaction():
        other.execute(f"LOCK TABLE barred_scores IN {mode} MODE")
        assert {worker.step() for _ in range(before)} == {0}
        with pytest.raises(ValueError, match=message):
            worker.step()
    worker._connected().close()


def test_serializable_as_default_isolation_does_not_end_a_job(root: Db) -> None:
    fill(root, "strict", [picture(n) for n in range(40)])
    root.execute("GRANT SELECT ON strict TO lab")
    root.execute("ALTER ROLE lab SET default_transaction_isolation = 'serializable'")
    try:
        flags = ("--table", "strict", "--model", "cells", "--workers", "2", "--batch-size", "1")
        status, stdout, stderr = score(*flags)
    finally:
        root.execute("ALTER ROLE lab RESET default_transaction_isolation")
    assert status == 0, stderr
    assert "40 scored" in stdout


def test_the_error_names_the_missing_role(root: Db) -> None:
    fill(root, "closed", [picture(1)])
    status, _, stderr = score("--table", "closed", "--model", "cells", user="nobody")
    assert status == 2
    assert "permission denied for schema ddl, for user nobody" in stderr
    assert 'GRANT ddl_scorer TO "nobody"' in stderr


def test_a_server_message_becomes_one_received_expected_line() -> None:
    assert (
        refusal(ValueError("ValueError: Received: a. Expected: b.")) == "Received: a. Expected: b."
    )
    assert refusal(ValueError("no\nroom."), "room") == "Received: no room. Expected: room."
