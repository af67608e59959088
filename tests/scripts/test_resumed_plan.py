"""`scripts/train_unet.py` and `--resume 40` without a further flag: default run directories, and the run's own plan."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.launch import REPOSITORY, Result, run_ranks
from tests.scripts.in_process import Outcome, call

TINY = [
    *("--data-option", "count=16", "--image-size", "16", "--model-option", "width=2", "depth=1"),
    *("--validation-part", "0.5", "--tensorboard", "false"),
]
CASES = [
    ("train_unet", "runs/unet"),
    ("train_cnn", "runs/cnn"),
    ("train_resnet", "runs/resnet"),
    ("train_custom", "runs/custom"),
]


START_S = 300.0  # per start of ranks; eight of them on two busy cores need the most


def horovodrun(ranks: int, folder: Path, *flags: str) -> Result:
    """Run `horovodrun -np RANKS python scripts/train_unet.py FLAGS` in a folder that holds `scripts`."""
    (folder / "scripts").unlink(missing_ok=True)
    (folder / "scripts").symlink_to(REPOSITORY / "scripts")
    command = ["scripts/train_unet.py", *flags]
    return run_ranks(
        command, ranks, "horovodrun", timeout_s=START_S * (1 + ranks // 8), folder=folder
    )


def epochs_of(run_dir: Path) -> list[int]:
    """Return the epochs in a run's history."""
    return [
        json.loads(line)["epoch"] for line in (run_dir / "history.jsonl").read_text().splitlines()
    ]


SMALL = [*TINY, "--checkpoint-every-epochs", "20"]  # a checkpoint takes longer than an epoch


def check_second_command(ranks: int, folder: Path) -> None:
    """Run the second command of the README as it stands, after a run of 40 epochs."""
    assert epochs_of(folder / "runs/unet") == list(range(1, 41))
    second = horovodrun(ranks, folder, "--resume", "40")
    assert second.returncode == 0, second.output
    assert "All 40 epochs are complete. The run trains to epoch 50." in second.output
    assert epochs_of(folder / "runs/unet") == list(range(1, 51))


@pytest.mark.timeout(START_S + 60)
def test_the_second_command_works_on_two_ranks(tmp_path: Path) -> None:
    first = call("train_unet", *SMALL, "--epochs", "40", folder=tmp_path)
    assert first.status == 0, first.told
    check_second_command(2, tmp_path)


@pytest.mark.proof
@pytest.mark.timeout(6 * START_S + 60)
@pytest.mark.parametrize("ranks", [2, 8])
def test_the_two_commands_work(ranks: int, tmp_path: Path) -> None:
    flags = [*SMALL, "--epochs", "40", "--per-rank-batch-size", "1"]
    first = horovodrun(ranks, tmp_path, *flags)
    assert first.returncode == 0, first.output
    check_refused(horovodrun(ranks, tmp_path).output)
    check_second_command(ranks, tmp_path)


def check_refused(output: str) -> None:
    """Check what a start without --resume says where there is a run."""
    assert "runs/unet, which already holds a run" in output
    assert "use --resume auto; otherwise choose another --run-dir" in output


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run of two epochs in runs/unet."""
    folder = tmp_path_factory.mktemp("trained")
    options = ["--schedule", "cosine", "--optimizer-option", "beta_1=0.8", "--seed", "3"]
    outcome = call("train_unet", *TINY, *options, "--epochs", "2", folder=folder)
    assert outcome.status == 0, outcome.told
    return folder


def test_the_first_command_once_more_is_refused(trained: Path) -> None:
    outcome = call("train_unet", folder=trained)
    assert outcome.status == 2
    check_refused(outcome.told)


def plan_of(outcome: Outcome) -> dict[str, Any]:
    """Return the plan that --dry-run printed."""
    assert outcome.status == 0, outcome.told
    plan: dict[str, Any] = json.loads(outcome.printed)
    return plan


def resumed(folder: Path, flags: Sequence[object], script: str = "train_unet") -> dict[str, Any]:
    """Return the plan of `SCRIPT --resume ...` in a folder."""
    return plan_of(call(script, "--resume", *flags, "--dry-run", folder=folder))


@pytest.mark.parametrize(("script", "run_dir"), CASES)
def test_each_script_has_a_run_directory_of_its_own(
    script: str, run_dir: str, tmp_path: Path
) -> None:
    # A process of its own: train_custom registers its model and its loss.
    command = [sys.executable, REPOSITORY / "scripts" / f"{script}.py", "--dry-run"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(shown.stdout)["run_dir"] == run_dir


def test_run_dir_is_a_variable_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUN_DIR", "elsewhere")
    assert plan_of(call("train_unet", "--dry-run", folder=tmp_path))["run_dir"] == "elsewhere"
    given = call("train_unet", "--run-dir", "here", "--dry-run", folder=tmp_path)
    assert plan_of(given)["run_dir"] == "here"


def test_resume_takes_everything_from_the_plan_of_the_run(trained: Path) -> None:
    stored = json.loads((trained / "runs/unet/plan.json").read_text())
    assert resumed(trained, ["1"]) == {**stored, "resume": "1"}
    assert resumed(trained, ["auto"]) == {**stored, "resume": "auto"}
    best = resumed(trained, ["best"])  # the last epoch: ten more
    assert best == {**stored, "resume": "best", "epochs": 12, "schedule_epochs": 2}


def test_a_flag_wins_over_the_plan_of_the_run(trained: Path) -> None:
    plan = resumed(trained, ["1", "--epochs", "9", "--schedule-epochs", "2", "--keep-last", "7"])
    assert (plan["epochs"], plan["keep_last"], plan["seed"]) == (9, 7, 3)


@pytest.mark.parametrize(
    ("flags", "received"),
    [
        (["--seed", "4"], "seed=4 (checkpoint: 3)"),
        (["--optimizer", "sgd"], "optimizer='sgd' (checkpoint: 'adam')"),
        (["--model-option", "width=4", "depth=1"], "model_option={'width': 4, 'depth': 1}"),
    ],
)
def test_a_flag_that_contradicts_the_run_is_refused(
    trained: Path, flags: list[str], received: str
) -> None:
    outcome = call("train_unet", "--resume", "1", *flags, folder=trained)
    assert outcome.status == 2
    assert received in outcome.told


def test_a_complete_run_trains_ten_more_epochs(trained: Path) -> None:
    plan = resumed(trained, ["2"])
    assert (plan["epochs"], plan["schedule_epochs"]) == (12, 2)  # the rate stays where cosine ended


def test_resume_auto_of_a_complete_run_trains_no_more(trained: Path) -> None:
    assert resumed(trained, ["auto"])["epochs"] == 2


def test_a_new_run_takes_the_plan_of_the_run_that_it_starts_from(trained: Path) -> None:
    for source in ("runs/unet", "runs/unet/checkpoints", "runs/unet/checkpoints/epoch-0001.h5"):
        plan = resumed(
            trained, [source, "--run-dir", "runs/new", "--epochs", "4", "--schedule-epochs", "2"]
        )
        assert (plan["run_dir"], plan["seed"], plan["image_size"]) == ("runs/new", 3, [16, 16])


def test_weights_that_the_run_started_from_may_be_gone(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "runs", tmp_path / "runs")
    file = tmp_path / "runs/unet/plan.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "init_weights": "gone.keras"}))
    assert resumed(tmp_path, ["1"])["init_weights"] == "gone.keras"


def test_a_damaged_plan_is_named(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "runs", tmp_path / "runs")
    (tmp_path / "runs/unet/plan.json").write_text('{"epochs": "many"')
    outcome = call("train_unet", "--resume", "1", folder=tmp_path)
    assert outcome.status == 2
    assert "runs/unet/plan.json, which is not a plan" in outcome.told


def test_resume_auto_without_a_run_starts_one(tmp_path: Path) -> None:
    assert resumed(tmp_path, ["auto", *TINY])["epochs"] == 5


def test_resume_of_an_epoch_without_a_run_is_refused(tmp_path: Path) -> None:
    outcome = call("train_unet", "--resume", "40", folder=tmp_path)
    assert outcome.status == 2
    assert "runs/unet/checkpoints has none" in outcome.told
