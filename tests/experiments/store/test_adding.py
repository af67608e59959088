"""Experiments come into a store whole, keep their numbers, and are kept when a spec is added again."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ddl.experiments.spec.records import Code, Experiment, Rule, Run
from ddl.experiments.store.store import add, create_store
from ddl.experiments.store.view import read_view


@dataclasses.dataclass
class Spec:
    """What a store needs to know of a spec."""

    path: Path
    name: str = "cells"


def experiment(label: str, folder: Path, **fields) -> Experiment:
    known = {
        "label": label,
        "id": f"{abs(hash(label)):016x}"[:16],
        "spec_name": "cells",
        "parameters": {"x": label},
        "run": Run(argv=("python3", "train.py", label), folder=str(folder)),
        "code": Code(policy="live"),
    }
    return Experiment(**{**known, **fields})


@pytest.fixture
def place(tmp_path):
    """Return the folder of a spec."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "cells.yaml").write_text("name: cells\n")
    return folder


@pytest.fixture
def store(place):
    return create_store(place / "experiments/cells", "cells")


def several(place: Path, *labels: str, **fields) -> list[Experiment]:
    return [experiment(label, place, **fields) for label in labels]


def names(store) -> list[str]:
    return [item.name for item in read_view(store.path).experiments]


def test_experiments_get_numbers_and_names(store, place):
    added = add(store, Spec(place / "cells.yaml"), several(place, "a", "b"))
    assert [record.name for record in added.new] == ["001-a", "002-b"] == names(store)
    assert (added.kept, added.vanished) == ((), ())


def test_a_record_is_read_as_it_was_added(store, place):
    (record,) = add(store, Spec(place / "cells.yaml"), several(place, "a")).new
    assert read_view(store.path).experiments[0].record == record
    assert abs(record.added - time.time()) < 60


def test_the_spec_is_kept_as_it_was_added(store, place):
    add(store, Spec(place / "cells.yaml"), several(place, "a"))
    assert (store.path / "spec.yaml").read_text() == "name: cells\n"
    assert json.loads((store.path / "store.json").read_text())["specs"] == ["cells.yaml"]


def test_adding_again_keeps_what_is_there(store, place):
    add(store, Spec(place / "cells.yaml"), several(place, "a", "b"))
    before = (store.path / "002-b/experiment.json").read_bytes()
    added = add(store, Spec(place / "cells.yaml"), several(place, "c", "b", "a"))
    assert [record.name for record in added.new] == ["003-c"]
    assert added.kept == ("001-a", "002-b")
    assert (store.path / "002-b/experiment.json").read_bytes() == before


def test_those_that_the_spec_has_no_more_are_named_and_left(store, place):
    add(store, Spec(place / "cells.yaml"), several(place, "a", "b"))
    added = add(store, Spec(place / "cells.yaml"), several(place, "b"))
    assert added.vanished == ("001-a",)
    assert names(store) == ["001-a", "002-b"]


def test_experiments_of_another_spec_have_not_vanished(store, place):
    add(store, Spec(place / "cells.yaml"), several(place, "a", spec_name="other"))
    assert add(store, Spec(place / "cells.yaml"), several(place, "b")).vanished == ()


def test_changed_settings_that_a_kept_one_does_not_get_are_named(store, place):
    add(store, Spec(place / "cells.yaml"), several(place, "a"))
    changed = several(place, "a", retries=3, watch=(Rule(name="r", text="loss > 1 -> stop"),))
    assert add(store, Spec(place / "cells.yaml"), changed).differing == {
        "001-a": ("retries", "watch")
    }


def test_the_same_settings_differ_in_nothing(store, place):
    add(store, Spec(place / "cells.yaml"), several(place, "a"))
    assert add(store, Spec(place / "cells.yaml"), several(place, "a")).differing == {}


def test_the_same_identity_twice_in_one_call_is_refused(store, place):
    one, other = several(place, "a", "b", id="0123456789abcdef")
    with pytest.raises(ValueError, match="a and b, which have the same settings"):
        add(store, Spec(place / "cells.yaml"), [one, other])
    assert names(store) == []


def test_a_number_is_never_used_again(store, place):
    add(store, Spec(place / "cells.yaml"), several(place, "a", "b"))
    (store.path / "002-b/experiment.json").unlink()
    (store.path / "002-b").rmdir()
    assert add(store, Spec(place / "cells.yaml"), several(place, "c")).new[0].name == "003-c"


def test_an_unreadable_experiment_is_named(store, place):
    add(store, Spec(place / "cells.yaml"), several(place, "a"))
    (store.path / "001-a/experiment.json").write_text("{")
    with pytest.raises(ValueError, match=r"001-a/experiment\.json, which cannot be read"):
        add(store, Spec(place / "cells.yaml"), several(place, "b"))


def test_a_folder_that_is_missing_is_refused_before_anything_is_written(store, place):
    with pytest.raises(ValueError, match="which is no folder"):
        add(store, Spec(place / "cells.yaml"), several(place / "none", "a"))
    assert names(store) == []


@pytest.mark.parametrize("label", ["a/b", "../x", "a\0b", "x" * 300, "ü" * 150])
def test_a_label_that_no_folder_can_have_is_refused(store, place, label):
    with pytest.raises(ValueError, match="Expected: one that a folder can have"):
        add(store, Spec(place / "cells.yaml"), several(place, "a", label))
    assert names(store) == []


@pytest.mark.parametrize("moment", range(6))
def test_a_full_disk_leaves_nothing_half_made(store, place, monkeypatch, moment):
    calls = iter(range(100))
    sync = os.fsync

    def full(file):
        if next(calls) == moment:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(file)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        add(store, Spec(place / "cells.yaml"), several(place, "a", "b"))
    monkeypatch.undo()
    view = read_view(store.path)
    assert view.damaged == {}
    assert not list(store.path.glob(".new-*"))
    added = add(store, Spec(place / "cells.yaml"), several(place, "a", "b"))
    assert len(added.new) + len(added.kept) == 2


PROGRAM = """
import sys
from pathlib import Path
from ddl.experiments.store.store import create_store
from tests.experiments.store.test_adding import Spec, add, experiment
place, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
store = create_store(place / "experiments/cells", "cells")
print("ready", flush=True)
many = [experiment(f"e{n}", place, id=f"{n:016x}") for n in range(first, last)]
add(store, Spec(place / "cells.yaml"), many)
"""


def start(place: Path, first: int, last: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(place), str(first), str(last)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    )


def test_two_adds_at_once_add_all_once(place):
    store = create_store(place / "experiments/cells", "cells")
    adds = [start(place, 0, 30), start(place, 20, 50)]
    try:
        assert [add.wait(60) for add in adds] == [0, 0]
    finally:
        for process in adds:
            process.kill()
            process.communicate()
    experiments = read_view(store.path).experiments
    assert sorted(item.record.id for item in experiments) == [f"{n:016x}" for n in range(50)]
    assert [item.number for item in experiments] == list(range(1, 51))


def test_an_add_that_is_killed_leaves_nothing_half_made(place):
    store = create_store(place / "experiments/cells", "cells")
    for delay_s in (0.005, 0.03):
        process = start(place, 0, 100)
        try:
            assert process.stdout.readline() == "ready\n"
            time.sleep(delay_s)
            process.send_signal(signal.SIGKILL)
        finally:
            process.kill()
            process.communicate()
        view = read_view(store.path)
        assert view.damaged == {}
    many = [experiment(f"e{n}", place, id=f"{n:016x}") for n in range(100)]
    add(store, Spec(place / "cells.yaml"), many)
    found = read_view(store.path).experiments
    assert sorted(item.record.id for item in found) == [f"{n:016x}" for n in range(100)]
    assert len({item.number for item in found}) == 100
    assert not list(store.path.glob(".new-*"))
