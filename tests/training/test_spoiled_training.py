"""What no training can go on from: a loss that is no number, a sample that cannot be read any more. One line each."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl.data.order import Position, SampleOrder
from ddl.training.checkpoint.checkpoint_file import open_checkpoint
from ddl.training.checkpoint.checkpoint_folder import list_checkpoints
from ddl.training.run import Run
from ddl.training.steps.nonfinite import check_losses
from tests.data import make
from tests.data.make import microscope_pictures
from tests.launch import Result
from tests.scripts.in_process import call
from tests.training.interrupted_runs import (
    EAGER,
    OFTEN,
    no_traceback_of_ours,
    plain_output,
    reached,
    start,
)

pytestmark = pytest.mark.timeout(600)
COUNT = 30
PLAN = (
    *("--model-option", "width=2", "depth=1", "norm=sync", "--per-rank-batch-size", "3"),
    *("--epochs", "100", "--log-every-s", "0", "--keep-last", "100", "--tensorboard", "false"),
)


def test_a_nan_picture_ends_the_training_and_its_sample_is_named(tmp_path: Path) -> None:
    data, run_dir = tmp_path / "cells.npz", tmp_path / "run"
    order = SampleOrder("global", COUNT, 3, 2, seed=0)
    met = [*order.epoch(0, 1)][3]  # by rank 1 in its fourth step
    write_cells(data, spoiled=met[1])
    arguments = ("--data", str(data), "--validation-data", str(data))
    job = start(run_dir, *PLAN, *arguments, *OFTEN, program=EAGER)
    result = job.wait()
    assert result.returncode == 2, result.output
    line = (
        f"train_unet (rank 1): Received: NaN or infinity in the picture of sample {met[1]}. Expected: finite numbers; "
        "repair or remove the sample."
    )
    check(result, line)
    check_finite(run_dir)


def test_a_rate_that_is_too_high_ends_the_training(tmp_path: Path) -> None:
    arguments = (*PLAN, "--data-option", "count=40", "--image-size", "32", "--optimizer", "sgd")
    job = start(tmp_path, *arguments, "--learning-rate", "1e30", ranks=1, launcher="none")
    result = job.wait()
    assert result.returncode == 4, result.output
    check(
        result,
        r"became NaN or infinite at step \d of epoch 1, first on rank 0 .*Use a smaller --learning-rate",
    )
    check_finite(tmp_path)


def test_a_loss_that_is_no_number_names_the_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(losses: list[float], run: Run, *rest: Any) -> None:
        check_losses([math.nan] * len(losses) if run.position.epoch == 2 else losses, run, *rest)

    monkeypatch.setattr("ddl.training.steps.supervised.check_losses", spoil)
    flags = ("--data-option", "count=12", "--image-size", "16", "--epochs", "3")
    small = (*("--model-option", "width=2", "depth=1"), "--tensorboard", "false")
    outcome = call("train_unet", "--run-dir", tmp_path / "run", *flags, *small)
    assert outcome.status == 4, outcome.told
    (line,) = [text for text in outcome.told.splitlines() if "NaN or infinite" in text]
    last = tmp_path / "run" / "checkpoints" / "epoch-0002.h5"
    assert "of epoch 3, first on rank 0" in line
    assert f"The last good checkpoint is {last}. Use a smaller --learning-rate" in line
    assert last.is_file()


def test_a_picture_that_breaks_in_mid_training_is_named(tmp_path: Path) -> None:
    pictures = make.pairs(tmp_path / "pictures", COUNT, height=32, width=32)
    arguments = (*PLAN, "--data", str(pictures), "--cache", "none")
    job = start(tmp_path / "run", *arguments)
    job.wait_for(r"epoch 1/100  dice")
    broken = pictures / "cell-11.png"
    broken.write_bytes(broken.read_bytes()[:60])
    broken_at = time.monotonic()
    result = job.wait()
    assert time.monotonic() - broken_at < 15
    assert result.returncode == 2, result.output
    check(result, rf"train_unet \(rank [01]\): .*{re.escape(str(broken))}")
    assert reached(tmp_path / "run") >= Position(1)


def check(result: Result, line: str) -> None:
    """Check that one line says it, and that nothing but the launcher adds to it."""
    output = plain_output(result.output)
    found = re.findall(rf"^.*{line if '.*' in line else re.escape(line)}.*$", output, re.MULTILINE)
    assert len(found) == 1, output
    assert no_traceback_of_ours(result), output
    after = output[output.index(found[0]) :].splitlines()
    # The rest is mpirun's. It may forward a line of progress late.
    assert len([text for text in after if not text.startswith("epoch ")]) < 16, output


def check_finite(run_dir: Path) -> None:
    """Check that no checkpoint holds what is no number."""
    for _, path in list_checkpoints(run_dir / "checkpoints"):
        snapshot = open_checkpoint(path).read()
        values = [values for _, weights in snapshot.weights for _, values in weights]
        values += [values for _, values in snapshot.optimizer]
        assert all(np.isfinite(one).all() for one in values), path


def write_cells(path: Path, spoiled: int) -> None:
    """Write pictures, one of them with a value that is no number, and masks."""
    pictures, masks = microscope_pictures(COUNT, 32)
    pictures[spoiled, 7, 7] = np.nan
    np.savez(path, image=pictures, mask=masks)
