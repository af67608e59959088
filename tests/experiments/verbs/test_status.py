"""`status`: a line for each experiment, totals, nodes; for people and as JSON."""

from __future__ import annotations

import io
import json

import pytest

from ddl.experiments.states import STATES
from ddl.experiments.store.plain import in_order
from ddl.experiments.terminal import columns
from ddl.experiments.terminal.status_lines import status_lines
from ddl.experiments.verbs import status as verb
from tests.experiments.made_store import MadeStore
from tests.experiments.verbs.run import run_verb


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Return an empty store."""
    monkeypatch.delenv("DDL_STORE", raising=False)
    return MadeStore(tmp_path / "store")


def test_each_experiment_has_a_line_with_its_state(made, capsys):
    made.experiment("running", {"lr": 0.1, "epochs": 50}, epoch=12, node="gpu1", label="lr0.1")
    done = run_verb(capsys, "status", "--store", made.path)
    heading, line, total = done.lines
    assert heading.split() == ["NAME", "STATE", "NODE", "EPOCH", "VAL_DICE", "FOR", "NEWS"]
    assert line.split()[:5] == ["001-lr0.1", "running", "gpu1", "12/50", "0.92308"]
    assert total == "cells: 1 experiment: 1 running"
    assert done.status == 0


def test_the_most_urgent_ones_stand_first(made):
    made.all_states()
    lines = status_lines(made.view(), list(made.view().experiments))
    assert [line.split()[1] for line in lines[1 : 1 + len(STATES)]] == list(STATES)


def test_something_failed_is_status_3(made, capsys):
    made.experiment("finished")
    made.experiment("failed")
    assert run_verb(capsys, "status", "--store", made.path).status == 3
    assert run_verb(capsys, "status", "state=finished", "--store", made.path).status == 0


def test_an_empty_store_is_said(made, capsys):
    done = run_verb(capsys, "status", "--store", made.path)
    assert (done.status, done.out) == (0, "cells: 0 experiments\n")


def test_the_reason_stands_in_the_line(made, capsys):
    made.experiment("failed")
    assert "ValueError: no such file" in run_verb(capsys, "status", "--store", made.path).out


def test_an_unreachable_node_is_named_with_the_age_of_what_is_known(made):
    made.experiment("unknown")
    lines = status_lines(made.view(), list(made.view().experiments))
    assert "unknown" in lines[1]
    assert "was running" in lines[1]
    assert lines[2] == "away: not reachable for 5 min (asked 5 min ago): connection refused"


def test_a_node_that_was_asked_long_ago_is_named_while_something_is_there(made):
    made.experiment("running")
    made.seen("here", age_s=7200)
    made.seen("idle", age_s=7200)
    view = made.view()
    assert [line for line in status_lines(view, list(view.experiments)) if "asked" in line] == [
        "here: asked 2 h ago; `sync` asks again"
    ]


def test_findings_are_counted_in_the_line(made):
    folder = made.experiment("running")
    folder.attempt(1).findings.write_text('{"rule": "slow"}\n')
    view = made.view()
    assert status_lines(view, list(view.experiments))[1].endswith("1 finding")


def test_the_main_variable_is_a_validation_metric(made):
    folder = made.experiment("running")
    made.history(folder, [{"epoch": 1, "loss": 2.0, "val_loss": 1.5, "val_dice": 0.25}])
    view = made.view()
    assert "VAL_DICE" in status_lines(view, list(view.experiments))[0]


def test_not_a_number_shows_as_such(made):
    made.history(made.experiment("running"), [{"epoch": 1, "loss": "NaN"}])
    view = made.view()
    assert " NaN " in status_lines(view, list(view.experiments))[1]


def test_lines_fit_the_terminal(made):
    made.experiment("failed", label="a" * 150, spec_name="x")
    made.experiment("unknown", label="ü漢字" * 20)
    view = made.view()
    for width in (40, 80, 120):
        lines = status_lines(view, list(view.experiments), width)
        assert max(map(columns.place, lines)) <= max(width, 75)
    assert "…" in lines[1]


def test_a_pipe_gets_whole_names(made, capsys):
    made.experiment("failed", label="a" * 150)
    assert "a" * 150 in run_verb(capsys, "status", "--store", made.path).out


def test_texts_of_users_are_escaped(made, capsys):
    made.experiment("planned", label="x\x1b[31m\n\u202e", spec_name="x")
    done = run_verb(capsys, "status", "--store", made.path)
    assert "x\\x1b[31m\\x0a\\u202e" in done.out
    assert "\x1b" not in done.out


def test_colours_only_on_a_terminal_that_wants_them(made, capsys, monkeypatch):
    made.experiment("failed")
    assert "\x1b" not in run_verb(capsys, "status", "--store", made.path).out
    monkeypatch.setattr(verb, "has_colours", lambda: True)
    assert "\x1b[1;31mfailed" in run_verb(capsys, "status", "--store", made.path).out


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def test_no_color_and_dumb_terminals_get_no_colours(monkeypatch):
    from ddl.experiments.terminal.words import has_colours

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert has_colours(Terminal())
    assert not has_colours(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not has_colours(Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not has_colours(Terminal())


def test_json_has_all_of_it_in_the_same_order(made, capsys):
    made.all_states()
    made.experiment("failed")
    done = run_verb(capsys, "status", "--json", "--store", made.path)
    assert done.status == 3
    assert done.json["totals"]["failed"] == 2
    names = [item["name"] for item in done.json["experiments"]]
    assert names == [item.name for item in in_order(list(made.view().experiments))]
    assert done.json["nodes"]["away"]["reachable"] is False
    unknown = next(item for item in done.json["experiments"] if item["state"] == "unknown")
    assert unknown["seen_age_s"] >= 400
    assert unknown["parameters"] == {"seed": 5}


def test_json_is_one_document_that_any_reader_reads(made, capsys):
    folder = made.experiment("running")
    made.history(folder, [{"epoch": 1, "loss": "NaN", "dice": "Infinity"}])
    out = run_verb(capsys, "status", "--json", "--store", made.path).out
    json.loads(out, parse_constant=lambda name: pytest.fail(name))


def test_a_damaged_experiment_is_told_beside_the_others(made, capsys):
    made.experiment("finished")
    made.experiment("running").experiment.write_text("")
    done = run_verb(capsys, "status", "--store", made.path)
    assert done.status == 3
    assert "001-seed1" in done.out
    assert "002-seed2 cannot be read. Received: " in done.err


def test_the_store_is_found_from_its_folder(made, capsys, monkeypatch):
    made.experiment("running")
    monkeypatch.chdir(made.path / "001-seed1")
    assert run_verb(capsys, "status").status == 0


def test_a_bad_word_is_one_line_with_status_2(made, capsys):
    made.experiment("running")
    done = run_verb(capsys, "status", "state=runing", "--store", made.path)
    assert done.status == 2
    assert done.err.startswith("experiments status: Received: state=runing. Expected: running")
    assert done.err.count("\n") == 1


def test_no_store_is_one_line_with_status_2(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("DDL_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    done = run_verb(capsys, "status")
    assert done.status == 2
    assert done.err.count("\n") == 1
    assert "give --store FOLDER, or set DDL_STORE" in done.err
