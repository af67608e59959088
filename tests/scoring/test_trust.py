"""sql_score runs no code of other roles with the rights of whoever scores, be it a superuser."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ddl.scoring.client.database import Database
from ddl.scoring.client.job import Job
from ddl.scoring.client.results_table import Target, prepare
from ddl.scoring.client.worker import Worker
from tests.scoring.cluster import Cluster
from tests.scoring.conftest import fill, picture
from tests.scoring.run import score

Db = psycopg.Connection[Any]

RESULTS = (
    "CREATE TABLE public.bait_scores (id bigint NOT NULL, model text NOT NULL, version integer NOT NULL, mask bytea, "
    "label text, probability double precision, error text, scored_at timestamp with time zone, "
    "PRIMARY KEY (id, model, version))"
)
# Does what only a superuser may, and says so in a table of its owner's.
EVIL = """
CREATE TABLE public.loot (who text);
GRANT ALL ON public.loot TO PUBLIC;
CREATE FUNCTION public.evil_trigger() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO public.loot VALUES (current_user); RETURN NEW; END';
CREATE FUNCTION public.evil_text() RETURNS text LANGUAGE plpgsql AS
    'BEGIN INSERT INTO public.loot VALUES (current_user); RETURN NULL; END';
CREATE FUNCTION public.evil(anyelement) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
    'BEGIN PERFORM public.evil_text(); RETURN true; END';
CREATE FUNCTION public.evil_same(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS
    'BEGIN INSERT INTO public.loot VALUES (current_user); RETURN $1 OPERATOR(pg_catalog.=) $2; END';
CREATE DOMAIN public.evil_number AS bigint CHECK (public.evil(VALUE));
"""


@pytest.fixture
def mallory(cluster: Cluster, root: Db) -> Iterator[Db]:
    """A user who may create tables, and owns functions that take what they get."""
    drop(root)
    root.execute("CREATE ROLE mallory LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO mallory")
    with cluster.connect("mallory") as connection:
        connection.execute(EVIL)
        yield connection
    drop(root)


def drop(root: Db) -> None:
    root.execute("DROP EVENT TRIGGER IF EXISTS evil")
    root.execute("DROP TABLE IF EXISTS public.bait, public.bait_scores CASCADE")
    if root.execute("SELECT 1 FROM pg_roles WHERE rolname = 'mallory'").fetchone():
        root.execute("DROP OWNED BY mallory CASCADE; DROP ROLE mallory")


def loot(root: Db) -> list[str]:
    return [row[0] for row in root.execute("SELECT DISTINCT who FROM public.loot").fetchall()]


def attempt(user: str, *flags: str) -> tuple[int, str]:
    status, _, stderr = score(
        "--table", "bait", "--model", "cells", "--workers", "1", *flags, user=user
    )
    return status, stderr


TRIGGER = (
    "CREATE TRIGGER evil BEFORE INSERT OR UPDATE ON public.bait_scores FOR EACH ROW "
    "EXECUTE FUNCTION public.evil_trigger()"
)
# What another role does to a table of results of its own.
OWNED: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "a trigger": (TRIGGER,),
    "a rule": (
        "CREATE RULE evil AS ON UPDATE TO public.bait_scores DO ALSO SELECT public.evil_text()",
    ),
    "a default": ("ALTER TABLE public.bait_scores ADD extra text DEFAULT public.evil_text()",),
    "a generated column": (
        "ALTER TABLE public.bait_scores ADD extra boolean GENERATED ALWAYS AS (public.evil(id)) STORED",
    ),
    "a check": ("ALTER TABLE public.bait_scores ADD CHECK (public.evil(id))",),
    "an index": ("CREATE INDEX ON public.bait_scores (public.evil(id))",),
    "a partial index": ("CREATE INDEX ON public.bait_scores (id) WHERE public.evil(id)",),
    "row security": (
        "ALTER TABLE public.bait_scores ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "CREATE POLICY evil ON public.bait_scores USING (public.evil(id))",
    ),
    "statistics": ("CREATE STATISTICS public.evil ON (public.evil(id)) FROM public.bait_scores",),
    "a domain": ("ALTER TABLE public.bait_scores ALTER id TYPE public.evil_number",),
    "a child": ("CREATE TABLE public.bait_child () INHERITS (public.bait_scores)",),
}


@pytest.mark.parametrize("case", OWNED)
def test_a_table_of_results_that_another_role_made_is_refused(
    root: Db, mallory: Db, case: str
) -> None:
    """Also for a superuser, who owns nothing of it, and also where it looks harmless now."""
    fill(root, "bait", [picture(1)])
    mallory.execute(RESULTS)
    for statement in OWNED[case]:
        mallory.execute(statement)
    mallory.execute("GRANT ALL ON public.bait_scores TO PUBLIC")
    status, told = attempt("postgres")
    assert status == 2, told
    assert told.count("\n") == 1
    assert "Received: results=" in told
    assert "or a new --results" in told
    assert loot(root) == []


# What another role may do to a table that belongs to the superuser, or what the superuser has overlooked.
ATTACHED = [name for name in OWNED if name not in ("nothing", "a child", "a rule")]


@pytest.mark.parametrize("case", ATTACHED)
def test_code_of_another_role_at_a_table_of_ones_own_is_refused(
    root: Db, mallory: Db, case: str
) -> None:
    fill(root, "bait", [picture(1)])
    root.execute(RESULTS)
    for statement in OWNED[case]:
        root.execute(statement)
    root.execute("DELETE FROM public.loot")
    status, told = attempt("postgres")
    assert (status, "belongs to role mallory, whose code would run with" in told) == (2, True), told
    assert "Scoring needs no superuser" in told
    assert loot(root) == []


def test_a_trigger_that_is_added_while_the_job_runs_is_refused(root: Db, mallory: Db) -> None:
    """A role with the right to add triggers waits until the table was looked at."""
    fill(root, "bait", [picture(n) for n in range(3)])
    with root.transaction():
        target = prepare(root, Job(table="bait", model="cells", batch_size=1))
    with contextlib.closing(Worker(Database(), target)) as worker:
        assert worker.step() == 1
        root.execute("GRANT TRIGGER ON public.bait_scores TO mallory")
        mallory.execute(TRIGGER)
        with pytest.raises(ValueError, match="belongs to role mallory"):
            worker.step()
    assert loot(root) == []


# What the owner of the pictures does to them.
PICTURES: dict[str, tuple[str, ...]] = {
    "an index": ("CREATE INDEX ON public.bait (public.evil(1), id)",),
    "a check": ("ALTER TABLE public.bait ADD CHECK (public.evil(1))",),
    "row security": (
        "ALTER TABLE public.bait ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY evil ON public.bait USING (public.evil(id))",
    ),
    "an index of a child": (
        "CREATE TABLE public.bait_child (CHECK (id > 100)) INHERITS (public.bait)",
        "CREATE INDEX ON public.bait_child (public.evil(1), id)",
    ),
}


@pytest.mark.parametrize("case", PICTURES)
@pytest.mark.parametrize("user", ["postgres", "lab"])
def test_pictures_that_run_code_of_their_owner_are_refused(
    root: Db, mallory: Db, case: str, user: str
) -> None:
    fill(root, "bait", [picture(1)])
    root.execute("ALTER TABLE public.bait OWNER TO mallory")
    for statement in PICTURES[case]:
        mallory.execute(statement)
    mallory.execute("GRANT SELECT ON public.bait TO PUBLIC; DELETE FROM public.loot")
    status, told = attempt(user)
    assert (status, "belongs to role mallory, whose code would run with" in told) == (2, True), told
    assert loot(root) == []


def test_ids_of_a_domain_run_none_of_its_checks(root: Db, mallory: Db) -> None:
    mallory.execute("CREATE TABLE public.bait (id public.evil_number PRIMARY KEY, image bytea)")
    mallory.execute("INSERT INTO public.bait VALUES (7, %s)", (picture(1),))
    mallory.execute("GRANT SELECT ON public.bait TO PUBLIC; DELETE FROM public.loot")
    status, told = attempt("postgres")
    assert status == 0, told
    assert loot(root) == []
    assert root.execute("SELECT id FROM public.bait_scores").fetchall() == [(7,)]


def test_operators_in_the_search_path_are_not_used(root: Db, mallory: Db) -> None:
    """They fit exactly, and stand before PostgreSQL's own in this user's path."""
    mallory.execute(
        "CREATE OPERATOR public.= (FUNCTION = public.evil_same, LEFTARG = bigint, RIGHTARG = bigint)"
    )
    fill(root, "bait", [picture(1)])
    root.execute("ALTER ROLE lab SET search_path = public, pg_catalog")
    root.execute("GRANT SELECT ON public.bait TO lab; DELETE FROM public.loot")
    try:
        status, told = attempt("lab")
    finally:
        root.execute("ALTER ROLE lab RESET search_path")
        root.execute("DROP OPERATOR public.= (bigint, bigint)")
    assert status == 0, told
    assert loot(root) == []


def test_an_event_trigger_of_another_role_keeps_the_table_from_being_created(
    root: Db, mallory: Db
) -> None:
    mallory.execute(
        "CREATE FUNCTION public.evil_event() RETURNS event_trigger LANGUAGE plpgsql AS "
        "'BEGIN INSERT INTO public.loot VALUES (current_user); END'"
    )
    fill(root, "bait", [picture(1)])
    root.execute(
        "CREATE EVENT TRIGGER evil ON ddl_command_start EXECUTE FUNCTION public.evil_event()"
    )
    root.execute("DELETE FROM public.loot")
    try:
        status, told = attempt("postgres")
    finally:
        root.execute("DROP EVENT TRIGGER evil")
    assert (status, "the event trigger evil belongs to role mallory" in told) == (2, True), told
    assert loot(root) == []


def test_a_schema_of_models_that_another_role_made_is_refused(root: Db, mallory: Db) -> None:
    root.execute("GRANT CREATE ON DATABASE postgres TO mallory")
    mallory.execute(
        "CREATE SCHEMA ddl_too CREATE VIEW model_versions AS "
        "SELECT 'cells'::text AS name, 1 AS version WHERE public.evil(1)"
    )
    mallory.execute(
        "GRANT USAGE ON SCHEMA ddl_too TO PUBLIC; GRANT SELECT ON ALL TABLES IN SCHEMA ddl_too TO PUBLIC"
    )
    fill(root, "bait", [picture(1)])
    status, told = attempt("postgres", "--schema", "ddl_too")
    assert (status, "schema=ddl_too, of which a part belongs to role mallory" in told) == (2, True)
    assert loot(root) == []


def test_a_scorer_needs_no_superuser(root: Db, mallory: Db) -> None:
    fill(root, "bait", [picture(1)])
    root.execute("GRANT SELECT ON public.bait TO lab")
    status, told = attempt("lab")
    assert status == 0, told


@pytest.fixture
def slow(root: Db) -> Iterator[Target]:
    """Two pictures whose scoring takes ten seconds."""
    fill(root, "slow", [picture(1), picture(2)])
    with root.transaction():
        target = prepare(root, Job(table="slow", model="cells", timeout_s=60))
    root.execute(
        "CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN PERFORM pg_sleep(10); RETURN NEW; END'"
    )
    root.execute(
        "CREATE TRIGGER dawdle BEFORE UPDATE ON slow_scores FOR EACH ROW EXECUTE FUNCTION public.dawdle()"
    )
    yield target
    root.execute("DROP TABLE slow, slow_scores; DROP FUNCTION public.dawdle()")


def test_three_cancellations_leave_no_error_on_healthy_pictures(
    cluster: Cluster, root: Db, slow: Target
) -> None:
    worker = Worker(Database(), slow)
    over = threading.Event()

    def cancel() -> None:
        with cluster.connect() as other:
            while not over.is_set():
                other.execute(
                    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'ddl' AND query LIKE '%UPDATE%slow_scores%' AND state = 'active'"
                )
                time.sleep(0.05)

    canceling = threading.Thread(target=cancel)
    canceling.start()
    try:
        assert worker.step() == 0
        assert worker.step() == 0
        with pytest.raises(
            ValueError, match=r"Another session canceled the scoring 3 times in a row"
        ):
            worker.step()
    finally:
        over.set()
        canceling.join()
        worker.close()
    found = root.execute("SELECT count(*), count(scored_at), count(error) FROM slow_scores")
    assert found.fetchone() == (2, 0, 0)
