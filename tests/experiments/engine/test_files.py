"""What goes to a node that does not see the store, and what comes back: by rsync, on this machine."""

from __future__ import annotations

import json
import shutil
import time

import pytest

from ddl.experiments.backends.transport import LocalTransport
from ddl.experiments.engine.files.fetching import fetch, rules_of
from ddl.experiments.engine.files.sending import Sender, create_there, matches, root_of, send_wanted
from ddl.experiments.spec.node import Node
from ddl.experiments.store.store import create_store
from ddl.experiments.store.view import read_view


@pytest.fixture
def copied(tmp_path, lab):
    """Return a store with two experiments, and the folder of its copy."""
    lab.do("add", lab.spec(count=2, outputs=["run/checkpoints", "result*.txt"]))
    root = tmp_path / "node" / "copy"
    sender = Sender(lab.view().store, LocalTransport(), str(root), lambda line: None)
    for item in lab.view().experiments:
        sender.send(item.folder, item.record)
    return lab, root


def test_a_copy_has_records_and_code_and_nothing_else(copied):
    lab, root = copied
    assert json.loads((root / "store.json").read_text())["id"] == lab.view().store.id
    assert (root / "001-lr1" / "experiment.json").exists()
    snapshot = lab.one().record.code.snapshot
    assert (root / "code" / snapshot / "train.sh").exists()
    assert read_view(root).experiments[0].record == lab.one().record


def test_links_of_code_to_what_stands_beside_it_are_not_sent(copied):
    _, root = copied
    assert not [path for path in (root / "code").rglob("*") if path.is_symlink()]


def written(folder, **files):
    """Write files below a folder."""
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_results_come_back_and_checkpoints_only_if_asked_for(copied):
    lab, root = copied
    for name in ("001-lr1", "002-lr2"):
        written(
            root / name,
            run__log="log",
            run__checkpoints__1="c",
            run__sub__deep="d",
            attempts__1__out="out",
            wanted="not ours",
        )
    one, two = lab.view().experiments
    fetch(LocalTransport(), str(root), lab.view().store, [one])
    assert (one.folder.run_dir / "checkpoints" / "1").read_text() == "c"
    assert (one.folder.run_dir / "sub" / "deep").read_text() == "d"
    assert (one.folder.attempts / "1" / "out").read_text() == "out"
    assert not (one.folder.path / "wanted").exists()
    assert not two.folder.run_dir.exists()
    assert not [rule for rule in rules_of([one]) if rule.startswith("+ /002")]


def test_what_is_newer_here_is_not_overwritten_by_an_older_copy(copied):
    lab, root = copied
    one = lab.one()
    written(root / "001-lr1", **{"history.json": "old"})
    time.sleep(1.1)  # rsync compares whole seconds where a file system has no more
    written(one.folder.path, **{"history.json": "new"})
    fetch(LocalTransport(), str(root), lab.view().store, [one])
    assert one.folder.history.read_text() == "new"


def test_a_fetch_deletes_nothing(copied):
    lab, root = copied
    one = lab.one()
    written(one.folder.path, run__kept="x")
    shutil.rmtree(root / "001-lr1")
    fetch(LocalTransport(), str(root), lab.view().store, [one])
    assert (one.folder.run_dir / "kept").read_text() == "x"


def test_a_wish_reaches_only_copies_that_are_there(copied):
    lab, root = copied
    shutil.rmtree(root / "002-lr2")
    for item in lab.view().experiments:
        written(item.folder.path, **{"wanted.json": "{}"})
    written(root / "001-lr1", **{"wanted.json": "before"})
    send_wanted(LocalTransport(), str(root), lab.view().store, ["001-lr1", "002-lr2"])
    assert (root / "001-lr1" / "wanted.json").read_text() == "{}"
    assert not (root / "002-lr2").exists()


def test_a_file_that_is_there_is_not_made_again(tmp_path):
    path = tmp_path / "status.json"
    for number in (1, 2):
        create_there(LocalTransport(), str(path), {"number": number})
    assert json.loads(path.read_text()) == {"number": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["status.json"]


@pytest.mark.parametrize("pattern", ["/etc/passwd", "../outside", "missing*"])
def test_files_outside_or_missing_are_refused(tmp_path, pattern):
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "outside").write_text("x")
    with pytest.raises(ValueError, match="Received: files: "):
        matches(inside, [pattern])


def test_patterns_of_files_name_each_once(tmp_path):
    written(tmp_path, a__b="x", a__c="x")
    assert matches(tmp_path, ["a/*", "a/b", "./a/b"]) == ["a/b", "a/c"]


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (Node(name="x", shared=True), "{store}"),
        (Node(name="x", ssh="h"), "{home}/ddl-experiments/cells-{id}"),
        (Node(name="x", ssh="h", folder="~/deep/er"), "{home}/deep/er/cells-{id}"),
        (Node(name="x", ssh="h", folder="/data"), "/data/cells-{id}"),
        (Node(name="x", ssh="h", folder="rel"), "{home}/rel/cells-{id}"),
    ],
)
def test_the_place_of_a_store_on_a_node(tmp_path, monkeypatch, node, expected):
    monkeypatch.setenv("HOME", str(tmp_path))
    store = create_store(tmp_path / "cells", "cells")
    values = {"store": store.path, "home": tmp_path, "id": store.id}
    assert root_of(node, store, LocalTransport()) == expected.format(**values)
