"""A run resumed on another number of ranks: the same results at the same global batch; else a warning or an error."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl.data.order import Position
from ddl.training.checkpoint.checkpoint_file import open_checkpoint
from ddl.training.checkpoint.checkpoint_folder import list_checkpoints
from tests.launch import Result
from tests.training.interrupted_runs import EAGER, TIMED, finish, in_pool, reached, start

pytestmark = pytest.mark.timeout(600)
# No dropout, whose masks are a rank's own, and no Adam, which makes much of rounding.
PLAN = (
    *("--data", "synthetic", "--data-option", "count=75", "--image-size", "32"),
    *("--validation-part", "0.2", "--augment", "flip=true", "rotation_degrees=15"),
    *("--model-option", "width=2", "depth=1", "norm=sync", "--optimizer", "sgd"),
    *("--optimizer-option", "momentum=0.9", "--learning-rate", "0.05"),
    *("--log-every-s", "0", "--keep-last", "100", "--tensorboard", "false", "--epochs", "3"),
)
TWO = ("--per-rank-batch-size", "6")
NINE = ("--per-rank-batch-size", "9")
ROUNDING = 2e-4


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run on two ranks that was never stopped."""
    run_dir = tmp_path_factory.mktemp("runs") / "reference"
    finish(run_dir, *PLAN, *TWO)
    return run_dir


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same run, stopped in its second epoch."""
    run_dir = tmp_path_factory.mktemp("runs") / "stopped"
    job = start(run_dir, *PLAN, *TWO, program=EAGER, env={"DDL_TEST_STOP_AT": "1/2"})
    result = job.wait()
    assert result.returncode == 75, result.output
    return run_dir


@pytest.fixture
def stopped_copy(stopped: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stopped, tmp_path / "copy"))


def test_it_stopped_in_mid_epoch(stopped: Path) -> None:
    assert reached(stopped) == Position(1, 2)


@pytest.mark.parametrize(("ranks", "batch", "launcher"), [(3, "4", "mpirun"), (1, "12", "none")])
def test_other_ranks_go_on_with_the_same_training(
    ranks: int, batch: str, launcher: str, reference: Path, stopped_copy: Path
) -> None:
    batch_flag = ("--per-rank-batch-size", batch)
    finish(stopped_copy, *PLAN, *batch_flag, ranks=ranks, launcher=launcher)
    check_close(stopped_copy, reference)


def test_another_global_batch_is_refused_in_mid_epoch(stopped: Path) -> None:
    refused = alone(stopped, *PLAN, *NINE)
    assert refused.returncode == 2, refused.output
    assert "global_batch_size=9, but 12 in the checkpoint, at step" in refused.output
    assert "resume from the end of an epoch: --resume 1" in refused.output


def test_another_global_batch_goes_on_from_the_end_of_an_epoch(
    reference: Path, stopped: Path, tmp_path: Path
) -> None:
    run_dir = Path(shutil.copytree(reference, tmp_path / "copy"))
    early = alone(run_dir, *PLAN, *NINE, resume="1")
    assert early.returncode == 0, early.output
    assert "trained with 12 samples per step, but this run takes 9" in early.output
    aside = run_dir / "checkpoints" / "set-aside-1"
    assert f"Moved 2 checkpoints later than epoch-0001.h5 to {aside}" in early.output
    assert sorted(path.name for path in aside.iterdir()) == ["epoch-0002.h5", "epoch-0003.h5"]
    assert [epoch["epoch"] for epoch in history(run_dir)] == [1, 2, 3]
    first, unchanged = history(run_dir)[0], history(stopped)[0]
    assert first == unchanged | {name: first[name] for name in TIMED}


def alone(run_dir: Path, *arguments: str, resume: str = "auto") -> Result:
    """Resume with one process."""
    return in_pool(run_dir, *arguments, ranks=1, launcher="none", resume=resume)


def check_close(run_dir: Path, reference: Path) -> None:
    """Check that weights, momenta and history are equal to rounding."""
    one, two = (
        open_checkpoint(list_checkpoints(path / "checkpoints")[-1][1]).read()
        for path in (run_dir, reference)
    )
    pairs = [*zip(one.weights, two.weights, strict=True)]
    values = [
        (a, b)
        for (_, mine), (_, theirs) in pairs
        for (_, a), (_, b) in zip(mine, theirs, strict=True)
    ]
    values += [(a, b) for (_, a), (_, b) in zip(one.optimizer, two.optimizer, strict=True)]
    for mine, theirs in values:
        assert np.abs(mine - theirs).max() <= ROUNDING * max(np.abs(theirs).max(), 1)
    for mine, theirs in zip(history(run_dir), history(reference), strict=True):
        for name in TIMED:
            del mine[name], theirs[name]
        assert mine == pytest.approx(theirs, rel=1e-3)


def history(run_dir: Path) -> list[dict[str, Any]]:
    """Return the epochs of a run."""
    return [json.loads(line) for line in (run_dir / "history.jsonl").read_text().splitlines()]
