"""Whatever is wrong with what a script is given: one line, status 2, and no file left behind.

A new case is a row in a `bad_*.py` beside this file.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.data import make
from tests.launch import REPOSITORY
from tests.scripts.bad_inputs import EARLY, LATE, attempt, tree
from tests.scripts.in_process import Outcome, call
from tests.scripts.spoiled import Row, cut, finished

DAMAGED = r"evaluate \(rank 0\): Received: .*cell-5.png, which is damaged.*\n"


def check(row: Row, outcome: Outcome, changed: list[str]) -> None:
    """Check what a script says, and that it leaves nothing."""
    name = row.command.split()[0]
    assert outcome.status == 2, outcome
    assert outcome.told.count("\n") == 1, outcome.told
    assert outcome.told.startswith(f"{name}: ")
    assert row.message in outcome.told
    # prepare_data says what it takes the pictures for before it converts them.
    assert all(line.startswith("in: ") for line in outcome.printed.splitlines())
    assert changed == []


@pytest.fixture(scope="module")
def tried(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[int, dict[str, Any]]:
    """Return how the early rows ended, by number. One process without TensorFlow tries all that were asked for."""
    asked = [
        item.callspec.params["number"]
        for item in request.session.items
        if getattr(item, "function", None) is test_a_mistake_gets_one_line
    ]
    numbers = asked or range(len(EARLY))
    done = python(["-m", "tests.scripts.bad_inputs", tmp_path_factory.mktemp("early"), *numbers])
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(zip(numbers, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("number", range(len(EARLY)), ids=lambda number: EARLY[number].command)
def test_a_mistake_gets_one_line(number: int, tried: dict[int, dict[str, Any]]) -> None:
    found = tried[number]
    outcome = Outcome(found["status"], found["printed"], found["told"])
    check(EARLY[number], outcome, found["changed"])


@pytest.mark.parametrize("row", LATE, ids=lambda row: row.command)
def test_a_mistake_that_only_the_model_tells_gets_one_line(tmp_path: Path, row: Row) -> None:
    check(row, *attempt(row, tmp_path / "here"))


def test_mistakes_are_found_before_tensorflow_loads(tried: dict[int, dict[str, Any]]) -> None:
    loaded = [EARLY[number].command for number, found in tried.items() if found["tensorflow"]]
    assert loaded[:1] == []


ONE_A_SCRIPT = {row.command.split()[0]: row for row in reversed(EARLY)}


@pytest.mark.parametrize("script", ONE_A_SCRIPT)
def test_a_process_of_its_own_says_the_same(tmp_path: Path, script: str) -> None:
    row = ONE_A_SCRIPT[script]
    row.given(tmp_path)
    before = tree(tmp_path)
    done = python([REPOSITORY / f"scripts/{script}.py", *shlex.split(row.command)[1:]], tmp_path)
    assert tree(tmp_path) == before
    check(row, Outcome(done.returncode, done.stdout, done.stderr), [])


@pytest.fixture
def damaged(tmp_path: Path) -> list[object]:
    """Return arguments of evaluate.py with a picture that is damaged in the middle of the data."""
    finished(tmp_path, (16, 32, 3))
    pictures = make.pairs(tmp_path / "in", 8, height=16, width=32)
    cut(pictures / "cell-5.png")
    return [tmp_path / "run", "--data", pictures]


def test_a_picture_that_is_damaged_in_the_middle_is_named(damaged: list[object]) -> None:
    outcome = call("evaluate", *damaged)
    assert outcome.status == 2
    assert re.fullmatch(DAMAGED, outcome.told.strip() + "\n"), outcome.told


@pytest.mark.proof
def test_a_picture_that_is_damaged_in_the_middle_gets_one_line(damaged: list[object]) -> None:
    """TensorFlow's threads read it, far from the script; TensorFlow itself says nothing of it, by default."""
    done = python([REPOSITORY / "scripts" / "evaluate.py", *damaged])
    assert done.returncode == 2, done.stderr
    assert re.fullmatch(DAMAGED, done.stderr.strip() + "\n"), done.stderr


def python(arguments: list[object], folder: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    """Run Python with TensorFlow's own settings for what it logs."""
    env = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=env | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
