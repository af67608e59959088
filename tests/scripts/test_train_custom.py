"""The script to copy: short, and with an own model, loss and source it gets what the others have."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ddl.training.train_command import OPEN_DATA_FIELDS
from scripts.train_custom import build_parser
from tests.launch import REPOSITORY
from tests.ranks.scripts import run_script

SCRIPT = REPOSITORY / "scripts" / "train_custom.py"
FLAGS = ("--learning-rate", "0.01", "--learning-rate-scaling", "none", "--tensorboard", "false")


def history(run_dir: Path) -> list[dict[str, float]]:
    """Return the epochs of a run, without their seconds."""
    epochs = [json.loads(line) for line in (run_dir / "history.jsonl").read_text().splitlines()]
    return [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in epochs]


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
