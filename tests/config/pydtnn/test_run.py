"""The command of 2020 under mpirun, as it is but for the number of ranks and the paths."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.config.pydtnn.test_translation import COMMAND_2020
from tests.data.make import idx_bytes
from tests.launch import REPOSITORY, Result, run_ranks

LAYERS = """
│   0   │  Input   │    0    │  (1, 28, 28)  │                 │         │         │
│   1   │  Conv2D  │   40    │  (4, 26, 26)  │  (4, 1, 3, 3)   │    0    │    1    │
│   2   │   Relu   │    0    │  (4, 26, 26)  │                 │         │         │
│   3   │  Conv2D  │   296   │  (8, 24, 24)  │  (8, 4, 3, 3)   │    0    │    1    │
│   4   │   Relu   │    0    │  (8, 24, 24)  │                 │         │         │
│   5   │  Pool2D  │    0    │  (8, 12, 12)  │                 │    0    │    2    │
│   6   │    FC    │ 147584  │    (128,)     │   (1152, 128)   │         │         │
│   7   │   Relu   │    0    │    (128,)     │                 │         │         │
│   8   │    FC    │  1290   │     (10,)     │    (128, 10)    │         │         │
│   9   │ Softmax  │    0    │     (10,)     │                 │         │         │
"""
"""As the launcher prints them."""


def mnist(folder: Path, training: int = 640, test: int = 160) -> Path:
    """Write files of MNIST's shape: a pattern for each of ten classes, and noise."""
    rng = np.random.default_rng(0)
    patterns = rng.random((10, 28, 28)) < 0.3
    folder.mkdir(parents=True)
    for part, count in (("train", training), ("t10k", test)):
        labels = rng.integers(0, 10, count).astype(np.uint8)
        noise = rng.normal(0, 40, (count, 28, 28))
        pictures = np.clip(patterns[labels] * 180 + noise, 0, 255).astype(np.uint8)
        for name, array in (("images-idx3", pictures), ("labels-idx1", labels)):
            (folder / f"{part}-{name}-ubyte").write_bytes(idx_bytes(array))
    return folder


def words_of_2020(data: Path, epochs: int = 2) -> list[str]:
    """Return the words of the command, with this path and number of epochs."""
    text = COMMAND_2020.replace("../datasets/mnist", str(data))
    return text.replace("--num_epochs=10", f"--num_epochs={epochs}").split()


def run_command(folder: Path, ranks: int) -> Result:
    words = words_of_2020(mnist(folder / "mnist"))
    script = REPOSITORY / "scripts" / "benchmarks_CNN.py"
    return run_ranks([script, *words], ranks, "mpirun", timeout_s=250.0, folder=folder)


def check(result: Result, folder: Path, ranks: int) -> None:
    """Check what the launcher says, and what it leaves."""
    said = result.output
    assert result.returncode == 0, said
    for line in LAYERS.strip().splitlines():
        assert said.count(line) == 1, line
    assert f"**** {ranks} process(es) of 1 thread(s); flags of PyDTNN of 2020" in said
    assert re.search(r"^\*\*\*\* In ddl: .*python scripts/train_cnn.py .*--model cnn", said, re.M)
    assert "Without effect: --blocking_mpi" in said
    before, after = re.findall(r"^test_acc: (\d+\.\d\d)%, test_cro: \d+\.\d{7}$", said, re.M)
    assert float(before) < 40 < 90 < float(after)
    seconds = re.search(r"^Time: (\d+\.\d\d) s$", said, re.M)
    rate = re.search(r"^Throughput: (\d+\.\d\d) samples/s$", said, re.M)
    assert seconds
    assert rate
    # The time is printed with two digits after the point.
    assert float(rate[1]) == pytest.approx(640 * 2 / float(seconds[1]), rel=0.02)
    (run_dir,) = (folder / "runs" / "benchmarks_CNN").iterdir()
    history = [json.loads(line) for line in (run_dir / "history.jsonl").read_text().splitlines()]
    assert len(history) == 2
    assert "test_acc" in (run_dir / "log.txt").read_text()


def test_the_command_of_2020_runs_on_two_ranks(tmp_path: Path) -> None:
    check(run_command(tmp_path, 2), tmp_path, 2)


@pytest.mark.proof
@pytest.mark.parametrize("ranks", [1, 3, 4])
def test_the_command_of_2020_runs_on_any_number_of_ranks(tmp_path: Path, ranks: int) -> None:
    check(run_command(tmp_path, ranks), tmp_path, ranks)


EXAMPLE = REPOSITORY / "examples" / "run_mpi_mnist.sh"


def run_example(folder: Path, **variables: str) -> str:
    """Run the example in a folder, and return what it printed."""
    outer = ("OMPI_COMM", "OMPI_MCA", "PMIX_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(outer)}
    done = subprocess.run(
        ["bash", EXAMPLE],
        cwd=folder,
        env=env | variables,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_is_the_command_of_2020(tmp_path: Path) -> None:
    programs = tmp_path / "venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "mpirun").write_text('#!/bin/sh\necho "$OMP_NUM_THREADS" "$@"\n')
    (programs / "mpirun").chmod(0o755)
    data = "../datasets/mnist"
    printed = run_example(tmp_path, DDL_VENV=str(tmp_path / "venv"), DATASET=data)
    threads, *launch = printed.split()
    assert (threads, *launch[:2]) == ("2", "-np", "12")
    start = launch.index("python3")
    assert launch[start : start + 2] == ["python3", "-u"]
    assert launch[start + 3 :] == COMMAND_2020.split()


@pytest.mark.proof
def test_the_example_runs_twice(tmp_path: Path) -> None:
    """Each start makes a run directory of its own. Its small sister: `test_the_example_is_the_command_of_2020`."""
    data = mnist(tmp_path / "mnist")
    for _ in range(2):
        run_example(tmp_path, NP="2", OMP_NUM_THREADS="1", EPOCHS="1", DATASET=str(data))
    assert len(list((tmp_path / "runs" / "benchmarks_CNN").iterdir())) == 2
