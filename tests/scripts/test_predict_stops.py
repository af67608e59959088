"""A prediction that is killed, or meets a full disk, leaves whole files only and goes on with the same command."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.inference.models import make_pictures, make_run
from tests.launch import REPOSITORY
from tests.scripts.test_predict import read_all, run_here

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
    assert run_here("predict", run_dir, pictures, tmp_path / "whole", *flags) == 0
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
    assert run_here("predict", run_dir, pictures, folder, *flags) == 0
    assert read_all(folder) == read_all(tmp_path / "whole")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


@pytest.mark.parametrize("form", ["png", "hdf5"])
def test_a_full_disk_is_one_line_and_leaves_whole_files(
    tmp_path: Path, run_dir: Path, pictures: Path, form: str
) -> None:
    folder = tmp_path / "out"
    few = tmp_path / "few.txt"
    few.write_text("".join(f"{pictures / f'{n}.png'}\n" for n in range(3)))
    flags = (run_dir, few, folder, "--format", form, "--probabilities", "true")
    limit = (1500, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    full = subprocess.run(
        [sys.executable, PREDICT, *flags],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),  # as on a full disk
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert full.returncode == 2, full.stderr
    line = full.stderr.splitlines()[-1]
    assert re.fullmatch(
        r"predict.*: Could not write .*: no space left\. .* run the same command.*", line
    )
    assert "Traceback" not in full.stderr
    assert not folder.exists()
    assert run_here("predict", *flags) == 0
    assert len(list(folder.glob(f"[0-9].{form[:3].replace('hdf', 'h5')}"))) == 3
