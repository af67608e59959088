"""`from ddl.experiments import Store`: what the verbs can do, in Python."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

from ddl.experiments import Store
from tests.experiments.beds.sweep import end_all
from tests.experiments.made_store import MadeStore


@pytest.fixture
def made(tmp_path):
    """Return a store with a finished, a failed and a planned experiment."""
    made = MadeStore(tmp_path / "store")
    folder = made.experiment("finished", {"learning_rate": 0.1})
    made.history(
        folder, [{"epoch": n, "loss": loss} for n, loss in ((1, 2.0), (2, 0.5), (3, "NaN"))]
    )
    folder.attempt(1).out_log.write_text("one\ntwo\nthree\n")
    made.experiment("failed", {"learning_rate": 0.01})
    made.plain({"learning_rate": 0.001})
    return made


@pytest.fixture
def store(made):
    """Return that store, opened."""
    return Store(made.path)


def test_a_store_is_opened_by_its_folder_or_found(made, monkeypatch):
    assert Store(str(made.path)).id == made.store.id
    monkeypatch.delenv("DDL_STORE", raising=False)
    monkeypatch.chdir(made.path)
    assert Store().name == "cells"


def test_experiments_are_found_by_words(store):
    assert [item.number for item in store.find()] == [1, 2, 3]
    assert [item.name for item in store.find("state=failed")] == ["002-learning_rate0.01"]
    assert store.experiment(3).state == "planned"
    with pytest.raises(ValueError, match="names no experiment"):
        store.find("nothing")


def test_an_experiment_tells_its_settings_and_results(store):
    one = store.experiment(1)
    assert (one.parameters, one.state, one.epoch) == ({"learning_rate": 0.1}, "finished", 3)
    assert one.best("loss") == 0.5
    assert one.best("accuracy") is None
    assert repr(one) == "Experiment('001-learning_rate0.1', 'finished')"


def test_a_history_has_numbers_only(store):
    rows = store.experiment(1).history()
    assert rows[1] == {"epoch": 2, "loss": 0.5}
    assert math.isnan(rows[2]["loss"])


def test_the_log_of_an_experiment(store):
    assert store.experiment(1).log(2) == ["two", "three"]
    assert store.experiment(1).log(0) == ["one", "two", "three"]
    assert store.experiment(1).log(attempt=7) == []
    assert store.experiment(3).log() == []


def test_an_experiment_stays_as_it_was_seen_until_it_is_looked_at_again(made, store):
    one = store.experiment(3)
    made.want(made.view().experiments[2].folder)
    assert (one.state, one.refresh().state) == ("planned", "queued")


def test_findings(made, store):
    path = made.view().experiments[0].folder.attempt(1).findings
    path.write_text(json.dumps({"rule": "slow"}) + "\n")
    assert store.experiment(1).findings() == [{"attempt": 1, "rule": "slow"}]


def test_rows_are_the_table(store):
    rows = store.rows("state=finished", columns=("name", "best_loss"))
    assert rows == [{"name": "001-learning_rate0.1", "best_loss": 0.5}]


def test_status_is_that_of_the_verb(store):
    assert store.status()["totals"] == {"failed": 1, "planned": 1, "finished": 1}


@pytest.mark.parametrize("verb", ["stop", "pause", "resume", "retry", "remove"])
def test_what_ends_or_begins_experiments_must_name_them(store, verb):
    with pytest.raises(ValueError, match='Expected: which experiments; "\\*" means all'):
        getattr(store, verb)()


def test_importing_it_loads_no_framework():
    code = "import sys; from ddl.experiments import Store; print([n for n in HEAVY if n in sys.modules])"
    heavy = ["tensorflow", "keras", "horovod", "numpy", "matplotlib", "yaml"]
    command = [sys.executable, "-c", code.replace("HEAVY", repr(heavy))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


TRAIN = """
import json, os, sys
rate = float(sys.argv[1])
with open(os.environ["DDL_RUN_DIR"] + "/history.jsonl", "w") as file:
    for epoch in range(1, 4):
        file.write(json.dumps({"epoch": epoch, "val_dice": 1 - rate / epoch}) + "\\n")
print("trained by the first script")
"""

SPEC = """
name: cells
command: python3 train.py {lr}
parameters:
  lr: {grid: [0.001, 0.1]}
"""


@pytest.fixture
def spec(tmp_path, monkeypatch):
    """Return the file of a spec; what it starts ends with the test."""
    home = tmp_path / "home"
    monkeypatch.setenv("DDL_NODE_HOME", str(home))
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "cells.yaml").write_text(SPEC)
    try:
        yield tmp_path / "cells.yaml"
    finally:
        end_all(f"DDL_NODE_HOME={home}")


def test_from_a_spec_to_results(spec):
    """The way of the module's docstring, with code that is edited after it was added."""
    store = Store.add(spec)
    (spec.parent / "train.py").write_text("print('edited')\n")
    assert store.submit("lr=0.001") == {"001-lr0.001": "submitted"}
    assert store.wait("lr=0.001", every_s=0.5, timeout_s=60)
    (one,) = store.find("state=finished")
    assert (one.name, one.best("val_dice")) == ("001-lr0.001", 1 - 0.001 / 3)
    assert one.log() == ["trained by the first script"]
    assert [row["epoch"] for row in one.history()] == [1, 2, 3]
    assert store.find("state=planned")[0].number == 2
    assert store.retry("1") == {"001-lr0.001": "is finished; nothing to try again"}
