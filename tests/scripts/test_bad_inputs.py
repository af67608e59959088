"""Whatever is wrong with what a script is given: one line, status 2, and no file left behind."""

from __future__ import annotations

import functools
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data import make
from tests.launch import REPOSITORY, run_ranks
from tests.scripts.bad_inputs import EARLY, LATE, Outcome, tree
from tests.scripts.bad_runs import RUN_UNET, SMALL
from tests.scripts.spoiled import Row, cut, finished


@functools.cache
def outcomes(table: str, folder: Path) -> list[Outcome]:
    """Try a whole table in one process, which costs its start only once."""
    command = [sys.executable, "-m", "tests.scripts.bad_inputs", table, str(folder)]
    env = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=env, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return [Outcome(**outcome) for outcome in json.loads(done.stdout.splitlines()[-1])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad")


def check(row: Row, outcome: Outcome) -> None:
    """Check what a script says, and that it leaves nothing."""
    name = row.command.split()[0]
    assert outcome.status == 2, outcome
    assert outcome.told.count("\n") == 1, outcome.told
    assert outcome.told.startswith(f"{name}: ")
    assert row.message in outcome.told
    assert outcome.printed == ""
    assert outcome.changed == []


@pytest.mark.parametrize("number", range(len(EARLY)), ids=[row.command for row in EARLY])
def test_a_mistake_gets_one_line_before_tensorflow_loads(folder: Path, number: int) -> None:
    outcome = outcomes("EARLY", folder / "early")[number]
    check(EARLY[number], outcome)
    assert not outcome.tensorflow


@pytest.mark.parametrize("number", range(len(LATE)), ids=[row.command for row in LATE])
def test_a_mistake_that_only_the_model_tells_gets_one_line(folder: Path, number: int) -> None:
    check(LATE[number], outcomes("LATE", folder / "late")[number])


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a checkout whose setup has nothing to do, with this Python as its environment."""
    for name in ("ddl", "scripts"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    shutil.copy(REPOSITORY / "run_unet.sh", tmp_path)
    (tmp_path / "setup.sh").write_text("#!/bin/sh\n")
    (tmp_path / "setup.sh").chmod(0o755)
    return tmp_path


def run_unet(checkout: Path, variables: str, flags: str = "") -> Outcome:
    """Run the shell script, and return what came of it."""
    given = dict(word.split("=", 1) for word in shlex.split(variables))
    env = os.environ | {"DDL_VENV": sys.prefix} | given
    before = tree(checkout)
    command = ["./run_unet.sh", *shlex.split(flags)]
    done = subprocess.run(
        command, cwd=checkout, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    changed = sorted({path for path, _ in before.items() ^ tree(checkout).items()})
    return Outcome(done.returncode, done.stderr, done.stdout, changed, False)


@pytest.mark.parametrize("variables", RUN_UNET)
def test_a_bad_variable_of_run_unet_gets_one_line(checkout: Path, variables: str) -> None:
    check(Row("run_unet", RUN_UNET[variables]), run_unet(checkout, variables))


def test_run_unet_passes_on_what_the_training_says(checkout: Path) -> None:
    """Before the ranks start, and after: then it says where to look, and has made no folder either."""
    row = Row("train_unet", "epochs=0 for training")
    check(row, run_unet(checkout, "", "--epochs 0 --run-dir other"))
    outcome = run_unet(checkout, "NP=2", f"{SMALL} --freeze nothing_*")
    assert outcome.status == 2
    lines = [line for line in outcome.printed.splitlines() if "train_unet: " in line]
    assert len(lines) == 1, outcome.printed  # for both ranks
    assert "freeze='nothing_*', which no layer is called" in lines[0]
    assert outcome.told == ("run_unet: the job ended with status 2; see the output above\n")
    assert outcome.changed == []


@pytest.mark.parametrize("launcher", ["mpirun", "horovodrun-gloo"])
def test_two_ranks_say_it_once(tmp_path: Path, launcher: str) -> None:
    script = REPOSITORY / "scripts" / "train_unet.py"
    result = run_ranks([script, "--run-dir", tmp_path / "run", "--epochs", "0"], 2, launcher)
    assert result.returncode == (2 if launcher == "mpirun" else 1), result.output
    assert result.output.count("train_unet") == 1, result.output
    assert "epochs=0 for training. Expected: at least 1." in result.output
    assert not list(tmp_path.iterdir())


def test_a_picture_that_is_damaged_in_the_middle_gets_one_line(tmp_path: Path) -> None:
    """It is met when TensorFlow's threads read it, far from the script."""
    finished(tmp_path, (16, 32, 3))
    pictures = make.pairs(tmp_path / "in", 8, height=16, width=32)
    cut(pictures / "cell-5.png")
    command = [REPOSITORY / "scripts" / "evaluate.py", tmp_path / "run", "--data", pictures]
    env = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, *command],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("evaluate (rank 0): Received: ")
    assert "cell-5.png, which is damaged" in line
