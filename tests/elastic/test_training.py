"""Real ranks that die: the training goes on with those that are left, and ends with what one process learns."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl.training.checkpoint.checkpoint_file import open_checkpoint
from ddl.training.checkpoint.checkpoint_folder import list_checkpoints
from tests.launch import REPOSITORY, Job, Result, require
from tests.training.interrupted_runs import finish

pytestmark = pytest.mark.timeout(1800)

# No dropout, whose masks are a rank's own, and no Adam, which makes much of rounding.
PLAN = (
    *("--data", "synthetic", "--data-option", "count=45", "--image-size", "16"),
    *("--validation-part", "0.2", "--augment", "flip=true", "rotation_degrees=15"),
    *("--model-option", "width=2", "depth=1", "norm=sync", "--optimizer", "sgd"),
    *("--optimizer-option", "momentum=0.9", "--learning-rate", "0.05"),
    *("--log-every-s", "0", "--keep-last", "100", "--tensorboard", "false"),
    *("--global-batch-size", "9", "--seed", "3"),
)  # 36 samples to train on, in 4 steps an epoch
START_UP_S = 90.0  # of three ranks on a machine that does other things, too


def train(folder: Path, faults: str, hosts: str, *flags: str, epochs: int) -> Result:
    """Train elastically on two or three ranks in float64, with these faults and this script of hosts."""
    require("mpirun")
    folder.mkdir()
    (folder / "faults").write_text(faults)
    (folder / "keras").mkdir()
    (folder / "keras" / "keras.json").write_text('{"floatx": "float64"}')
    command = folder / "hosts.sh"
    command.write_text(f"#!/bin/sh\ncd {folder}\n{hosts}\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    words = [
        *(REPOSITORY / "scripts/elastic.py", "--max-ranks", "3"),
        *("--hosts-command", command, "--check-every-s", "0.2", *flags, "--"),
        *(REPOSITORY / "tests/elastic/faulty_program.py", "--run-dir", folder / "run", *PLAN),
        *("--epochs", str(epochs), "--checkpoint-every-min", "1e-4"),
    ]
    env = {"DDL_TEST_FAULTS": str(folder), "KERAS_HOME": str(folder / "keras")}
    result = Job(words, 1, "none", env).wait(1700)
    assert result.returncode == 0, result.output
    assert result.left_behind == ()
    return result


def events(run_dir: Path, kind: str) -> list[dict[str, Any]]:
    """Return the events of a kind in the journal."""
    lines = (run_dir / "elastic.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def arrays(run_dir: Path) -> list[np.ndarray]:
    """Return all weights and momenta of the last checkpoint."""
    snapshot = open_checkpoint(list_checkpoints(run_dir / "checkpoints")[-1][1]).read()
    weights = [values for _, layer in snapshot.weights for _, values in layer]
    return [*weights, *(values for _, values in snapshot.optimizer)]


def check_equal(run_dir: Path, reference: Path) -> None:
    """Check that weights, momenta and history are those of the other run to 1e-10."""
    for mine, theirs in zip(arrays(run_dir), arrays(reference), strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-10)
    one, two = (
        [json.loads(line) for line in (path / "history.jsonl").read_text().splitlines()]
        for path in (run_dir, reference)
    )
    assert [epoch["epoch"] for epoch in one] == [epoch["epoch"] for epoch in two]
    for mine, theirs in zip(one, two, strict=True):
        assert mine["loss"] == pytest.approx(theirs["loss"], abs=1e-10)
        assert mine["val_dice"] == pytest.approx(theirs["val_dice"], abs=1e-10)


def undisturbed(folder: Path, epochs: int) -> Path:
    """Train the same in one process, and return its run directory."""
    run_dir = folder / "reference"
    how = {"ranks": 1, "launcher": "none", "floatx": "float64"}
    finish(run_dir, *PLAN, "--epochs", str(epochs), **how)
    return run_dir


def test_a_killed_rank_is_done_without_and_taken_again(tmp_path: Path) -> None:
    """Rank 1 of three dies in the second epoch. Its slot is listed again from the third epoch on."""
    hosts = "[ -e died-1-2 ] && [ ! -e back ] && echo localhost:2 || echo localhost:3"
    result = train(
        tmp_path / "own", "1/2 1\n2/1 touch back\n", hosts, "--cooldown-s", "1", epochs=5
    )
    run_dir = tmp_path / "own" / "run"
    starts, ends = events(run_dir, "start"), events(run_dir, "end")
    assert [start["ranks"] for start in starts][:3] == [3, 2, 3]
    assert ends[0]["rank"] == 1
    assert ends[0]["reason"].startswith("rank 1 (host ")
    died_s = (tmp_path / "own" / "died-1-2").stat().st_mtime
    again_s = next(
        path.stat().st_mtime
        for position, path in list_checkpoints(run_dir / "checkpoints")
        if path.stat().st_mtime > died_s + 4
    )
    assert again_s - died_s < 30 + START_UP_S
    assert "elastic: start 2 on 2 ranks (localhost:2), from epoch-0001-step-0000" in result.output
    check_equal(run_dir, undisturbed(tmp_path, epochs=5))


@pytest.mark.long("elastic")
def test_ten_faults_lose_no_sample(tmp_path: Path) -> None:
    """Ranks die at the ends of epochs and within them, on two ranks and on one in turn."""
    places = ["0/1", "0/3", "1/2", "1/4", "2/1", "2/3", "3/2", "3/4", "4/1", "4/2"]
    victims = [0, 0, 1, 0, 0, 0, 1, 0, 0, 0]
    faults = "".join(f"{place} {rank}\n" for place, rank in zip(places, victims, strict=True))
    hosts = "echo localhost:$((2 - $(ls | grep -c died) % 2))"
    own = tmp_path / "own"
    train(own, faults, hosts, "--min-ranks", "1", "--cooldown-s", "0", epochs=5)
    assert len([*own.glob("died-*")]) == 10
    assert events(own / "run", "done")[0]["failures"] == 10
    assert {start["ranks"] for start in events(own / "run", "start")} == {1, 2}
    check_equal(own / "run", undisturbed(tmp_path, epochs=5))
