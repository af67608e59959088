"""The verb `plot`."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ddl.experiments import command
from tests.experiments.made_store import MadeStore


@pytest.fixture
def made(tmp_path):
    made = MadeStore(tmp_path / "store")
    for rate in (0.1, 0.2):
        folder = made.experiment("finished", {"lr": rate})
        rows = [
            {"epoch": n, "time": made.now, "attempt": 1, "loss": rate / n, "val_dice": rate}
            for n in (1, 2)
        ]
        made.history(folder, rows)
    return made


def call(made, *words):
    return command.main("", ["plot", *words, "--store", str(made.path)])


def test_curves_of_what_tells_most_and_the_loss(made, capsys, tmp_path):
    picture = tmp_path / "out.png"
    assert call(made, "--json", "--output", str(picture)) == 0
    told = json.loads(capsys.readouterr().out)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert [panel["variable"] for panel in told["panels"]] == ["val_dice", "loss"]
    assert [curve["name"] for curve in told["panels"][0]["curves"]] == ["002-lr0.2", "001-lr0.1"]
    assert told["panels"][1]["curves"][0]["y"] == [0.1, 0.05]


def test_without_an_output_the_picture_is_in_the_store(made, capsys):
    assert call(made, "1", "--variable", "loss") == 0
    assert (made.path / "curves.png").exists()
    assert "curves.png" in capsys.readouterr().out


def test_times_are_printed_as_json_too(made, capsys):
    assert call(made, "--times", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (made.path / "times.png").exists()
    assert told["experiments"][0]["seconds"]["run"] == pytest.approx(590, abs=1)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--variable", "los"], "Did you mean 'loss'"),
        (["--by", "hours"], "epoch, step, seconds"),
        (["--by", "step"], "which no row says"),
        (["--output", "x.pdf"], ".png"),
        (["--output", "/proc/none/x.png"], "Expected: "),
        (["9"], "names no experiment"),
        (["state=running"], "without any values"),
        (["state=running", "--times"], "not been handed over"),
    ],
)
def test_bad_input_is_one_line_and_status_2(made, capsys, words, expected):
    assert call(made, *words) == 2
    told = capsys.readouterr().err
    assert expected in told
    assert told.count("\n") == 1


def test_it_imports_no_tensorflow(made):
    program = (
        "import sys; from ddl.experiments import command\n"
        "status = command.main('', sys.argv[1:])\n"
        "print(status, [name for name in ('tensorflow', 'keras', 'horovod') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "plot", "--store", str(made.path)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ},
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "0 []"
