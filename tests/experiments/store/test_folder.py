"""Stores are made, opened and found; folders of others and damaged ones are refused in one line."""

from __future__ import annotations

import json
import os
import threading

import pytest

from ddl.experiments.store.folder import create_store, find_store, open_store, store_of_spec


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv("DDL_STORE", raising=False)


def test_a_store_has_a_random_id_that_stays(tmp_path):
    made = create_store(tmp_path / "a", "cells")
    assert (len(made.id), made.name) == (8, "cells")
    assert open_store(tmp_path / "a") == made == create_store(tmp_path / "a", "other name")
    assert create_store(tmp_path / "b", "cells").id != made.id


def test_ten_that_create_at_once_get_the_same_store(tmp_path):
    ids = []
    threads = [
        threading.Thread(target=lambda: ids.append(create_store(tmp_path / "deep/a", "x").id))
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(ids) == 10
    assert len(set(ids)) == 1
    assert [path.name for path in (tmp_path / "deep/a").iterdir()] == ["store.json"]


def test_a_folder_that_was_left_empty_becomes_the_store(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".host.1.abc.store.json").write_text("{")  # of a call that was killed
    assert create_store(tmp_path / "a", "x").name == "x"


def test_a_folder_with_other_files_is_not_taken(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(
        ValueError, match=r"other files \(thesis\.tex\)\. Expected: a store, or a new"
    ):
        create_store(tmp_path, "x")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_place_for_a_store(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="not a folder"):
        create_store(tmp_path / "file", "x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "damaged"),
        ("{", "damaged"),
        ("[1]", "damaged"),
        ("[" * 100_000, "damaged"),
        ('{"format": 1}', "damaged"),
        ('{"format": 1, "id": "../../x", "name": "x"}', "damaged"),
        ('{"format": 2, "id": "01234567", "name": "x"}', "of format 2. Expected: format 1; use"),
        ("\x00\xff", "damaged"),
    ],
)
def test_a_damaged_store_is_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "store.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=message) as caught:
        open_store(tmp_path)
    assert "\n" not in str(caught.value)
    assert "Expected: " in str(caught.value)


def test_a_store_json_that_is_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "store.json")
    with pytest.raises(ValueError, match="damaged"):
        open_store(tmp_path)


@pytest.mark.parametrize(("name", "what"), [("none", "no folder"), (".", "no store")])
def test_what_is_no_store_is_refused(tmp_path, name, what):
    with pytest.raises(ValueError, match=f"which is {what}"):
        open_store(tmp_path / name)


def test_a_given_store_wins(tmp_path, monkeypatch):
    for name in ("a", "b"):
        create_store(tmp_path / name, name)
    monkeypatch.setenv("DDL_STORE", str(tmp_path / "b"))
    assert find_store(tmp_path / "a", tmp_path).name == "a"
    assert find_store(None, tmp_path).name == "b"


def test_a_given_store_may_be_relative(tmp_path):
    create_store(tmp_path / "a", "a")
    (tmp_path / "here").mkdir()
    assert find_store(None or (tmp_path / "here/../a"), tmp_path / "here").name == "a"


def test_the_store_around_the_folder_is_found(tmp_path):
    create_store(tmp_path / "a", "a")
    inside = tmp_path / "a/003-x/run"
    inside.mkdir(parents=True)
    assert find_store(None, inside).name == "a"


def test_the_only_store_below_is_found(tmp_path):
    create_store(tmp_path / "experiments/a", "a")
    assert find_store(None, tmp_path).name == "a"


def test_of_two_stores_below_none_is_taken(tmp_path):
    for name in ("a", "b"):
        create_store(tmp_path / "experiments" / name, name)
    with pytest.raises(ValueError, match=r"2 stores in .* \(a, b\)\. Expected: one; give store="):
        find_store(None, tmp_path)


def test_no_store_at_all_is_said(tmp_path):
    with pytest.raises(ValueError, match="no store in"):
        find_store(None, tmp_path)


def test_the_store_of_a_spec_is_beside_it(tmp_path):
    for name in ("a", "b"):
        store = create_store(tmp_path / "experiments" / name, name)
        facts = json.loads((store.path / "store.json").read_text())
        (store.path / "store.json").write_text(json.dumps({**facts, "specs": [f"{name}.yaml"]}))
    assert store_of_spec(tmp_path / "b.yaml").name == "b"
    with pytest.raises(ValueError, match="run `add"):
        store_of_spec(tmp_path / "c.yaml")


def test_folders_are_sorted_by_number(tmp_path):
    store = create_store(tmp_path / "a", "a")
    for name in ("1000-x", "002-x", "010-x", "code", "seen", "7", "3x-y", ".new-1", "٣-x"):
        (store.path / name).mkdir()
    assert [folder.path.name for folder in store.folders()] == ["002-x", "010-x", "1000-x"]


def test_a_file_of_somebody_elses_program_further_up_is_no_store(tmp_path):
    (tmp_path / "store.json").write_text("{}")
    (tmp_path / "work").mkdir()
    create_store(tmp_path / "work/experiments/a", "a")
    assert find_store(None, tmp_path / "work").name == "a"
