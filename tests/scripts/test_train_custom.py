"""The script to copy: short, and with an own model, loss and source it gets what the others have."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from ddl.training.train_command import OPEN_DATA_FIELDS
from scripts.train_custom import build_parser
from tests.launch import REPOSITORY
from tests.ranks.scripts import run_script
from tests.scripts.in_process import call

SCRIPT = REPOSITORY / "scripts" / "train_custom.py"
FLAGS = ("--learning-rate", "0.01", "--learning-rate-scaling", "none", "--tensorboard", "false")


def history(run_dir: Path) -> list[dict[str, float]]:
    """Return the epochs of a run, without their times."""
    epochs = [json.loads(line) for line in (run_dir / "history.jsonl").read_text().splitlines()]
    return [
        {k: v for k, v in epoch.items() if k not in ("seconds", "samples_per_s")}
        for epoch in epochs
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train three epochs on two ranks."""
    run_dir = tmp_path_factory.mktemp("custom") / "whole"
    arguments = ["--run-dir", run_dir, "--epochs", "3", "--per-rank-batch-size", "8", *FLAGS]
    result = run_script("scripts/train_custom", arguments, ranks=2)
    assert result.returncode == 0, result.output
    return run_dir


def test_it_is_under_60_lines() -> None:
    assert len(SCRIPT.read_text().splitlines()) < 60


@pytest.mark.parametrize("field", OPEN_DATA_FIELDS)
def test_a_flag_that_its_data_ignore_is_refused(
    field: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flag = "--" + field.replace("_", "-")
    with pytest.raises(SystemExit):
        build_parser().parse_args(["--run-dir", "run", flag, "1"])
    assert f"Received: unknown flag {flag}." in capsys.readouterr().err


def test_flags_of_data_that_every_run_uses_are_kept() -> None:
    flags = ["--run-dir", "run", "--order", "contiguous", "--augment", "flip=true"]
    assert build_parser().parse_args(flags).augment == ["flip=true"]


def test_its_model_has_options(tmp_path: Path) -> None:
    arguments = ["--run-dir", tmp_path / "run", "--model-option", "width=16", "--dry-run"]
    result = run_script("scripts/train_custom", arguments, ranks=1)
    assert '"width": 16' in result.output


def test_it_learns(whole: Path) -> None:
    assert history(whole)[-1]["val_dice"] > 0.8


def test_the_run_directory_is_complete(whole: Path) -> None:
    names = {path.name for path in whole.iterdir()}
    assert {"plan.json", "facts.json", "history.csv", "curves.png", "samples.png"} <= names
    assert {"model.keras", "checkpoints", "log.txt"} <= names


def test_two_ranks_equal_one(whole: Path, tmp_path: Path) -> None:
    arguments = ["--run-dir", tmp_path / "one", "--epochs", "3", "--per-rank-batch-size", "16"]
    result = run_script("scripts/train_custom", [*arguments, *FLAGS], ranks=1)
    assert result.returncode == 0, result.output
    for two, one in zip(history(whole), history(tmp_path / "one"), strict=True):
        for name in ("loss", "dice", "val_loss", "val_dice"):
            np.testing.assert_allclose(two[name], one[name], rtol=2e-3, err_msg=name)


def test_it_resumes_to_the_same_bits(whole: Path, tmp_path: Path) -> None:
    for epochs in ("1", "3"):
        arguments = ["--run-dir", tmp_path / "run", "--epochs", epochs, "--resume", "auto"]
        result = run_script(
            "scripts/train_custom", [*arguments, "--per-rank-batch-size", "8", *FLAGS], ranks=2
        )
        assert result.returncode == 0, result.output
    assert history(tmp_path / "run") == history(whole)


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write four samples of the script's source, as a user without the script has them."""
    samples = importlib.import_module("scripts.train_custom").Squares().read(range(4))
    path = tmp_path_factory.mktemp("squares") / "squares.npz"
    np.savez(path, images=samples["image"], masks=samples["mask"])
    return path


def test_its_model_predicts(whole: Path, tmp_path: Path) -> None:
    iio.imwrite(tmp_path / "cell.png", np.zeros((48, 48), np.uint8))
    outcome = call("predict", whole, tmp_path / "cell.png", tmp_path / "out")
    assert outcome.status == 0, outcome.told
    assert iio.imread(tmp_path / "out" / "cell.png").shape == (48, 48)


def test_its_best_checkpoint_predicts(whole: Path, tmp_path: Path) -> None:
    iio.imwrite(tmp_path / "cell.png", np.zeros((48, 48), np.uint8))
    flags = ["--checkpoint", "best"]
    outcome = call("predict", whole, tmp_path / "cell.png", tmp_path / "out", *flags)
    assert outcome.status == 0, outcome.told


def test_its_model_is_evaluated_on_given_data(whole: Path, squares: Path) -> None:
    outcome = call("evaluate", whole, "--data", squares)
    assert outcome.status == 0, outcome.told
    results = json.loads(outcome.printed)
    assert results["dice"] > 0.8
    assert "loss" not in results  # which only the script knows


def test_its_model_is_evaluated_sample_by_sample(
    whole: Path, squares: Path, tmp_path: Path
) -> None:
    flags = ["--per-picture", tmp_path / "all.csv"]
    outcome = call("evaluate", whole, "--data", squares, *flags)
    assert outcome.status == 0, outcome.told
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 1 + 4


def test_an_evaluation_without_data_asks_for_them(whole: Path) -> None:
    outcome = call("evaluate", whole)
    assert outcome.status == 2
    assert "training data 'squares' are not found" in outcome.told
    assert "Expected: --data with data of the same kind." in outcome.told


def test_its_model_is_exported(whole: Path, squares: Path, tmp_path: Path) -> None:
    outcome = call("export", whole, tmp_path / "net.savedmodel", "--check-data", squares)
    assert outcome.status == 0, outcome.told


def test_an_export_without_data_asks_for_them(whole: Path, tmp_path: Path) -> None:
    outcome = call("export", whole, tmp_path / "net.savedmodel")
    assert outcome.status == 2
    assert "Expected: --check-data with data of the same kind." in outcome.told


def test_a_run_with_a_metric_of_its_own_asks_for_metrics(
    whole: Path, squares: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(whole, tmp_path / "run")
    plan = json.loads((copy / "plan.json").read_text())
    (copy / "plan.json").write_text(json.dumps(plan | {"metric": ["corners"]}))
    outcome = call("evaluate", copy, "--data", squares)
    assert outcome.status == 2
    assert "Expected: --metric with some of dice, iou" in outcome.told


def test_an_evaluation_needs_to_know_what_its_model_predicts(
    whole: Path, squares: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(whole, tmp_path / "run")
    (copy / "preprocessing.json").unlink()
    outcome = call("evaluate", copy, "--data", squares)
    assert outcome.status == 2
    assert (
        "model 'net', which only its own script knows, without preprocessing.json" in outcome.told
    )
