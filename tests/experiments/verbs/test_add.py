"""`add` fills the store of a spec; what is there stays."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from tests.scripts.in_process import Outcome, call

TEXT = "command: x {flags}\nparameters: {a: {grid: [1, 2]}}\n"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(TEXT)
    return path


def add(spec: Path, *flags: object) -> Outcome:
    outcome = call("experiments", "add", spec, *flags)
    assert outcome.status == 0, outcome.told
    return outcome


def test_each_experiment_has_its_record(spec: Path):
    add(spec)
    record = json.loads((spec.parent / "experiments/s/002-a2/experiment.json").read_text())
    assert (record["number"], record["parameters"], record["run"]["argv"]) == (
        2,
        {"a": 2},
        ["x", "--a", "2"],
    )


def test_the_store_may_be_elsewhere(spec: Path):
    add(spec, "--store", spec.parent / "other")
    assert (spec.parent / "other/001-a1/experiment.json").is_file()


def test_without_a_flag_the_variable_names_the_store(spec: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DDL_STORE", str(spec.parent / "named"))
    add(spec)
    assert (spec.parent / "named" / "store.json").is_file()
    assert not (spec.parent / "experiments").exists()


def test_added_later_new_ones_join_and_vanished_ones_are_named(spec: Path):
    add(spec)
    spec.write_text(TEXT.replace("[1, 2]", "[2, 3]"))
    printed = add(spec).printed
    assert "added 003-a3\n" in printed
    assert "No longer in the spec, left alone: 001-a1\n" in printed
    assert printed.splitlines()[-1].startswith("1 added, 1 there before. Store: ")


def test_a_changed_need_is_told_and_changes_nothing_that_is_there(spec: Path):
    add(spec)
    before = (spec.parent / "experiments/s/001-a1/experiment.json").read_bytes()
    spec.write_text(TEXT + "retries: 3\n")
    assert (
        "001-a1 keeps its retries: settings of an experiment in the store do not change."
        in add(spec).printed
    )
    assert (spec.parent / "experiments/s/001-a1/experiment.json").read_bytes() == before


def test_the_store_remembers_where_its_spec_and_nodes_are(spec: Path):
    spec.write_text(TEXT + "nodes: {n: {slots: 4}}\n")
    add(spec)
    kept = json.loads((spec.parent / "experiments/s/nodes.json").read_text())
    assert (kept["spec"], kept["nodes"]["n"]["slots"], kept["default"]) == (str(spec), 4, "n")


def test_a_folder_with_other_files_is_no_store(spec: Path):
    (spec.parent / "other").mkdir()
    (spec.parent / "other/mine.txt").write_text("")
    outcome = call("experiments", "add", spec, "--store", spec.parent / "other")
    assert (outcome.status, outcome.told.count("\n")) == (2, 1)
    assert [path.name for path in (spec.parent / "other").iterdir()] == ["mine.txt"]


def test_json_tells_the_same(spec: Path):
    found = json.loads(add(spec, "--json").printed)
    assert [one["name"] for one in found["new"]] == ["001-a1", "002-a2"]
    assert (found["kept"], found["vanished"]) == ([], [])


def test_a_damaged_record_is_named_where_it_is_asked_for(spec: Path, tmp_path: Path):
    add(spec)
    store = spec.parent / "experiments/s"
    (store / "002-a2/experiment.json").write_text('{"a": ')
    for word in ("2", "002-a2"):
        done = call("experiments", "status", word, "--store", store)
        assert "002-a2 cannot be read." in done.told


def test_a_full_disk_is_told_with_what_to_do(spec: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("ddl.experiments.verbs.add.create_store", full)
    done = call("experiments", "add", spec)
    assert done.status == 2
    assert "Expected: free space on the disk of the store" in done.told
