"""Results of the database functions, who may call them, and in how many processes they run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from tests.scoring.cluster import Cluster
from tests.scoring.conftest import decode, encode, fill, picture, pixels
from tests.scoring.exported import bright_model
from tests.scoring.run import deploy

Db = psycopg.Connection[Any]


def one(connection: Db, query: str, *values: Any) -> Any:
    """Return the first value of the first row."""
    row = connection.execute(query, values).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("size", [(40, 30), (1, 1), (1030, 1100)])
def test_a_mask_has_the_size_of_its_picture(lab: Db, size: tuple[int, int]) -> None:
    """The whole picture or, above one megapixel, tiles."""
    array = pixels(3, *size)
    mask = decode(one(lab, "SELECT ddl.segment('cells', %s::bytea)", encode(array)))
    sums = array.sum(axis=-1, dtype=int)
    sure = abs(sums - 382.5) > 1  # far from the threshold, where rounding does not matter
    assert mask.shape == size
    assert np.array_equal((mask == 255)[sure], (sums > 382.5)[sure])
    assert set(np.unique(mask)) <= {0, 255}


def test_a_threshold_decides_what_is_foreground(lab: Db) -> None:
    query = "SELECT ddl.segment('cells', %s::bytea, threshold => %s)"
    masks = [decode(one(lab, query, picture(3), threshold)) for threshold in (0.1, 0.9)]
    assert masks[0].sum() > masks[1].sum()
    with pytest.raises(psycopg.Error, match=r"threshold=1.5. Expected: at least 0, below 1"):
        one(lab, query, picture(3), 1.5)


def test_an_array_gives_the_results_of_its_pictures(lab: Db) -> None:
    contents = [picture(1), picture(2, 20, 40), None]
    single = [one(lab, "SELECT ddl.segment('cells', %s::bytea)", content) for content in contents]
    assert one(lab, "SELECT ddl.segment('cells', %s::bytea[])", contents) == single
    assert single[2] is None
    assert one(lab, "SELECT ddl.segment('cells', '{}'::bytea[])") == []


def test_labels_come_with_their_probabilities(lab: Db) -> None:
    grey = [encode(np.full((8, 8), level, np.uint8)) for level in (5, 130, 250)]
    found = [
        lab.execute("SELECT * FROM ddl.classify('shade', %s::bytea)", (one_,)).fetchone()
        for one_ in grey
    ]
    assert [row[0] for row in found if row] == ["dark", "middle", "bright"]
    rows = lab.execute("SELECT * FROM ddl.probabilities('shade', %s::bytea)", (grey[0],)).fetchall()
    assert [row[0] for row in rows] == ["dark", "middle", "bright"]
    assert sum(row[1] for row in rows) == pytest.approx(1, abs=1e-6)
    assert found[0] == rows[0]
    many = lab.execute("SELECT * FROM ddl.classify('shade', %s::bytea[])", (grey,)).fetchall()
    assert [row[:2] for row in many] == [(1, "dark"), (2, "middle"), (3, "bright")]


def test_the_query_of_the_seed_project(lab: Db, root: Db, open_folder: Path) -> None:
    root.execute("DROP TABLE IF EXISTS openvino_input")
    root.execute("CREATE TABLE openvino_input AS SELECT 'one.png'::text AS filename")
    root.execute("GRANT SELECT ON openvino_input TO lab")
    lab.execute("SET search_path = ddl, public")
    mask = one(lab, "select img_inference(filename) from openvino_input")
    assert mask == one(lab, "SELECT segment('cells', %s::bytea)", picture(1))
    assert one(lab, "SELECT img_inference(%s)", str(open_folder / "one.png")) == mask


def test_the_newest_version_is_used_and_old_versions_stay(
    cluster: Cluster, lab: Db, tmp_path: Path
) -> None:
    """Also in a backend that has already loaded the old version."""
    content, query = picture(5), "SELECT ddl.segment('two', %s::bytea)"
    old, new = bright_model(tmp_path, "old", 0.3), bright_model(tmp_path, "new", 0.7)
    assert "two version 1 deployed" in deploy(old, "two")
    first = one(lab, query, content)
    assert "two version 1 was already deployed" in deploy(old, "two")
    assert "two version 2 deployed" in deploy(new, "two")
    assert decode(one(lab, query, content)).sum() < decode(first).sum()
    assert one(lab, "SELECT ddl.segment('two', %s::bytea, version => 1)", content) == first
    assert "two version 3 deployed" in deploy(old, "two")  # back to the first
    assert one(lab, query, content) == first
    versions = (
        "SELECT array_agg(version ORDER BY version) FROM ddl.model_versions WHERE name = 'two'"
    )
    assert one(lab, versions) == [1, 2, 3]


def test_a_changed_model_is_refused(cluster: Cluster, root: Db, models: dict[str, Path]) -> None:
    deploy(models["shade"], "spoiled")
    with pytest.raises(psycopg.Error, match="an update of model spoiled, version 1"):
        root.execute("UPDATE ddl.models SET network = 'x' WHERE name = 'spoiled'")
    root.execute("SET session_replication_role = replica")  # a superuser can bypass triggers
    root.execute("UPDATE ddl.models SET weights = 'x' WHERE name = 'spoiled'")
    with cluster.connect("lab") as fresh, pytest.raises(psycopg.Error, match="whose checksum"):
        fresh.execute("SELECT ddl.classify('spoiled', %s::bytea)", (picture(1),))


def test_a_query_runs_in_several_processes(
    cluster: Cluster, lab: Db, root: Db, models: dict[str, Path]
) -> None:
    fill(root, "wide", [picture(n) for n in range(60)])
    deploy(models["cells"], "cells", table="wide", parallel_workers=2)
    root.execute("GRANT SELECT ON wide TO lab")
    query = "SELECT id, ddl.segment('cells', image) FROM wide"
    lab.execute("SET jit = off")
    plan = [row[0] for row in lab.execute(f"EXPLAIN (ANALYZE) {query}").fetchall()]
    assert any("Workers Launched: 2" in line for line in plan), plan
    parallel = sorted(lab.execute(query).fetchall())
    lab.execute("SET max_parallel_workers_per_gather = 0")
    assert sorted(lab.execute(query).fetchall()) == parallel
    assert len(parallel) == 60


def test_only_the_main_thread_of_a_backend_receives_signals(cluster: Cluster, lab: Db) -> None:
    """Threads of OpenVINO and NumPy must not run the server's signal handlers."""
    one(lab, "SELECT ddl.segment('cells', %s::bytea)", picture(1, 300, 300))
    pid = one(lab, "SELECT pg_backend_pid()")
    blocked = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        (line,) = [x for x in (task / "status").read_text().splitlines() if x.startswith("SigBlk")]
        blocked[int(task.name)] = int(line.split()[1], 16)
    assert blocked.pop(pid) & (1 << 14) == 0  # SIGTERM
    assert all(mask & (1 << 14) for mask in blocked.values()), blocked


def test_a_deployment_without_folders_closes_them(
    lab: Db, open_folder: Path, models: dict[str, Path]
) -> None:
    deploy(models["cells"], "cells")
    with pytest.raises(psycopg.Error, match="no folder is open to SQL"):
        one(lab, "SELECT ddl.img_inference('one.png')")
