"""The verb `compare`."""

from __future__ import annotations

import json

import pytest

from ddl.experiments import command
from tests.experiments.made_store import MadeStore


@pytest.fixture
def made(tmp_path):
    made = MadeStore(tmp_path / "store")
    for rate in (0.1, 0.2):
        folder = made.experiment(
            "finished", {"lr": rate, "note": "\x1b[31m"}, argv=("a", str(rate))
        )
        made.history(folder, [{"epoch": 1, "loss": rate * 2}])
    return made


def call(made, *words):
    return command.main("", ["compare", *words, "--store", str(made.path)])


def test_a_table_with_a_column_for_each(made, capsys):
    assert call(made, "1", "2") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[1:] == [
        "Settings",
        "lr 0.1 0.2",
        "",
        "Results",
        "last loss 0.2 0.4",
        "best loss 0.2 0.4",
    ]


def test_json_has_all_parts(made, capsys):
    assert call(made, "1-2", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["settings"] == {"lr": [0.1, 0.2]}
    assert told["run"] == told["code"] == {}
    assert told["results"] == {"last loss": [0.2, 0.4], "best loss": [0.2, 0.4]}


def test_names_are_escaped(made, capsys):
    assert call(made, "1", "2") == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["1"], ["7"], ["lr=3"]])
def test_less_than_two_experiments_are_refused(made, capsys, words):
    if not words:
        for number in range(20):
            made.experiment("planned", {"lr": number})
    assert call(made, *words) == 2
    assert capsys.readouterr().err.startswith("experiments compare: Received: ")


def test_experiments_that_are_the_same(made, capsys):
    for _ in range(2):
        made.experiment("planned", {"x": 1}, argv=("a",))
    assert call(made, "3", "4") == 0
    assert "nothing differs" in capsys.readouterr().out
