"""A prediction that is killed, or meets a full disk, leaves whole files only and goes on with the same command."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.inference.models import make_pictures, make_run
from tests.launch import REPOSITORY
from tests.scripts.in_process import Outcome, call
from tests.scripts.test_predict import read_all
from tests.small_files import limited_files

PREDICT = REPOSITORY / "scripts/predict.py"
SIZES = [(40 + n % 3, 40) for n in range(40)]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "unet", shape=(32, 32, 3))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"), SIZES)


def test_killed_it_goes_on_to_the_same_bytes(tmp_path: Path, run_dir: Path, pictures: Path) -> None:
    flags = ("--batch-size", "1", "--tile", "16", "--overlap", "8", "--overlay", "true")
    assert call("predict", run_dir, pictures, tmp_path / "whole", *flags).status == 0
    folder = tmp_path / "killed"
    command = [sys.executable, PREDICT, run_dir, pictures, folder, *flags]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as job:
        until = time.monotonic() + 60
        while len(list(folder.glob("*.overlay.png"))) < 3:
            assert time.monotonic() < until, "no results"
            assert job.poll() is None, "it has ended"
            time.sleep(0.002)
        job.kill()
    done = len(list(folder.glob("*.overlay.png")))
    assert done < len(SIZES)
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("[0-9].png")}
    assert call("predict", run_dir, pictures, folder, *flags).status == 0
    assert read_all(folder) == read_all(tmp_path / "whole")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


LIMIT_BYTES = 1500


@pytest.fixture
def few(tmp_path: Path, pictures: Path) -> Path:
    """Return a list of three pictures."""
    path = tmp_path / "few.txt"
    path.write_text("".join(f"{pictures / f'{n}.png'}\n" for n in range(3)))
    return path


def check_full(outcome: Outcome, folder: Path) -> None:
    """Check that a full disk is one line, and leaves no file."""
    assert outcome.status == 2, outcome.told
    line = outcome.told.splitlines()[-1]
    assert re.fullmatch(
        r"predict.*: Could not write .*: no space left\. .* run the same command.*", line
    )
    assert "Traceback" not in outcome.told
    assert not folder.exists()


@pytest.mark.parametrize("form", ["png", "hdf5"])
def test_a_full_disk_is_one_line_and_leaves_whole_files(
    tmp_path: Path, run_dir: Path, few: Path, form: str
) -> None:
    folder = tmp_path / "out"
    flags = (run_dir, few, folder, "--format", form, "--probabilities", "true")
    with limited_files(LIMIT_BYTES):
        full = call("predict", *flags)
    check_full(full, folder)
    assert call("predict", *flags).status == 0
    assert len(list(folder.glob(f"[0-9].{form[:3].replace('hdf', 'h5')}"))) == 3


@pytest.mark.proof
def test_a_full_disk_is_one_line_of_a_process(tmp_path: Path, run_dir: Path, few: Path) -> None:
    with limited_files(LIMIT_BYTES):
        done = subprocess.run(
            [sys.executable, PREDICT, run_dir, few, tmp_path / "out", "--probabilities", "true"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    check_full(Outcome(done.returncode, done.stdout, done.stderr), tmp_path / "out")
