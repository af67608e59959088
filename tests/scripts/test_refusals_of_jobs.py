"""run_unet.sh and jobs of several ranks say once, in one line, what is wrong."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inference.models import make_pictures, make_run
from tests.launch import REPOSITORY, run_ranks
from tests.scripts.bad_inputs import tree
from tests.scripts.bad_runs import RUN_UNET, SMALL
from tests.scripts.in_process import Outcome
from tests.scripts.spoiled import Row, cut
from tests.scripts.test_bad_inputs import check


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a checkout whose setup has nothing to do, with this Python as its environment."""
    for name in ("ddl", "scripts"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    shutil.copy(REPOSITORY / "run_unet.sh", tmp_path)
    (tmp_path / "setup.sh").write_text("#!/bin/sh\n")
    (tmp_path / "setup.sh").chmod(0o755)
    return tmp_path


def run_unet(checkout: Path, variables: str, flags: str = "") -> tuple[Outcome, list[str]]:
    """Run the shell script, and return how it ended and which paths it changed."""
    given = dict(word.split("=", 1) for word in shlex.split(variables))
    env = os.environ | {"DDL_VENV": sys.prefix} | given
    before = tree(checkout)
    command = ["./run_unet.sh", *shlex.split(flags)]
    done = subprocess.run(
        command, cwd=checkout, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    changed = sorted({path for path, _ in before.items() ^ tree(checkout).items()})
    return Outcome(done.returncode, done.stdout, done.stderr), changed


@pytest.mark.parametrize("variables", RUN_UNET)
def test_a_bad_variable_of_run_unet_gets_one_line(checkout: Path, variables: str) -> None:
    check(Row("run_unet", RUN_UNET[variables]), *run_unet(checkout, variables))


def test_run_unet_passes_on_what_the_training_refuses_before_ranks_start(checkout: Path) -> None:
    row = Row("train_unet", "epochs=0 for training")
    check(row, *run_unet(checkout, "", "--epochs 0 --run-dir other"))


def test_run_unet_passes_on_what_the_ranks_refuse_and_says_where_to_look(checkout: Path) -> None:
    outcome, changed = run_unet(checkout, "NP=2", f"{SMALL} --freeze nothing_*")
    assert outcome.status == 2
    lines = [line for line in outcome.printed.splitlines() if "train_unet: " in line]
    assert len(lines) == 1, outcome.printed  # for both ranks
    assert "No layer name matches freeze='nothing_*'" in lines[0]
    assert outcome.told == "run_unet: the job ended with status 2; see the output above\n"
    assert changed == []


@pytest.mark.parametrize("launcher", ["mpirun", "horovodrun-gloo"])
def test_two_ranks_say_it_once(tmp_path: Path, launcher: str) -> None:
    script = REPOSITORY / "scripts" / "train_unet.py"
    result = run_ranks([script, "--run-dir", tmp_path / "run", "--epochs", "0"], 2, launcher)
    assert result.returncode == 2, result.output
    assert "Traceback" not in result.output
    assert result.output.count("train_unet") == 1, result.output
    assert "epochs=0 for training. Expected: at least 1." in result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.proof
def test_a_damaged_picture_of_one_rank_ends_the_job_with_its_line(tmp_path: Path) -> None:
    run_dir = make_run(tmp_path / "run", shape=(32, 32, 3))
    pictures = make_pictures(tmp_path / "pictures", [(40, 40), (23, 61), (9, 7)])
    cut(pictures / "1.png")
    flags = [run_dir, pictures, tmp_path / "out", "--batch-size", "1"]
    result = run_ranks([REPOSITORY / "scripts" / "predict.py", *flags], 2)
    assert result.returncode == 2, result.output
    assert re.search(r"predict \(rank \d\): Received: \S+/1.png, which is damaged", result.output)
    assert "Traceback" not in result.output
