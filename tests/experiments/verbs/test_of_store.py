"""How a verb finds its store: by flag, by variable, around the folder, or by a spec's file."""

from __future__ import annotations

import pytest

from ddl.experiments import command
from ddl.experiments.verbs.of_store import OfStore, find
from tests.experiments.verbs.run import run_verb

SPEC = """
name: cells
command: "true {lr}"
code: live
parameters:
  lr: {grid: [0.1, 0.01]}
"""


@pytest.fixture
def spec(tmp_path, monkeypatch):
    """Return the file of a spec, in a folder that is the working one."""
    monkeypatch.delenv("DDL_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cells.yaml").write_text(SPEC)
    return tmp_path / "cells.yaml"


def test_a_spec_names_the_store_that_it_was_added_to(spec, capsys):
    assert run_verb(capsys, "add", spec).status == 0
    done = run_verb(capsys, "status", "cells.yaml", "lr=0.1")
    assert done.status == 0
    assert "cells: 1 experiment: 1 planned" in done.out


def test_a_spec_that_was_not_added_is_one_line(spec, capsys):
    done = run_verb(capsys, "status", "cells.yaml")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "run `add cells.yaml` first" in done.err


def test_the_words_behind_a_spec_are_left(spec, capsys):
    run_verb(capsys, "add", spec)
    store, words = find(OfStore(), ("cells.yaml", "1"))
    assert (store.name, words) == ("cells", ("1",))


def test_a_given_store_wins_over_the_spec(spec, tmp_path, capsys):
    run_verb(capsys, "add", spec, "--store", tmp_path / "other")
    store, words = find(OfStore(store=tmp_path / "other"), ("cells.yaml", "1"))
    assert (store.path, words) == (tmp_path / "other", ("1",))


def test_the_only_store_below_is_taken(spec, capsys):
    run_verb(capsys, "add", spec)
    assert find(OfStore())[0].name == "cells"


@pytest.mark.parametrize("verb", ["status", "show", "table", "log", "watch"])
def test_help_says_every_flag_and_an_example(verb, capsys):
    out = run_verb(capsys, verb, "--help").out
    assert "python scripts/experiments.py " + verb in out
    assert "--store PATH" in out
    assert "--json" in out


@pytest.mark.parametrize("verb", ["status", "show", "table", "log", "watch"])
def test_every_verb_of_a_store_is_listed(verb):
    assert verb in command.VERBS
