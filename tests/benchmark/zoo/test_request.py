"""Many models are measured one after the other; what does not fit gets a smaller batch, or a named gap."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from ddl.benchmark.runner import Setup, TrialError
from ddl.benchmark.zoo import request as zoo
from ddl.benchmark.zoo.request import MEMORY_MB, ZooRequest
from tests.scripts.in_process import call

RESULT = {
    "train_samples_per_s": 200.0,
    "infer_samples_per_s": 800.0,
    "parameters": 149210,
    "multiply_adds": 338960,
    "peak_mb": 512.5,
}


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> list[Setup]:
    """Let trials succeed up to a batch of 8; return those that were started."""
    started: list[Setup] = []

    def run_trial(setup: Setup) -> dict[str, Any]:
        started.append(setup)
        if setup.trial.model == "resnet34":
            raise KeyboardInterrupt
        if setup.trial.model == "resnet18":
            raise TrialError("It ended.", 1, "Traceback\nReceived: sides\n")
        if setup.trial.per_rank_batch_size > 8 or setup.trial.model == "resnet152":
            raise TrialError("It ended.", -6)
        return dict(RESULT)

    monkeypatch.setattr(zoo, "run_trial", run_trial)
    return started


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_patterns_name_models_in_their_order_and_each_once() -> None:
    names = ZooRequest(models=("resnet5?", "cnn", "resnet50")).names
    assert names == ["resnet50", "resnet56", "cnn"]


def test_each_model_has_its_own_size_unless_one_is_given() -> None:
    own = ZooRequest(models=("cnn",))._setup("cnn", 4).trial
    assert (own.image_size, own.channels, own.classes) == (28, 1, 10)
    given = ZooRequest(image_size=64, channels=3, classes=7)._setup("cnn", 4).trial
    assert (given.image_size, given.channels, given.classes) == (64, 3, 7)


def test_a_process_may_take_four_fifths_of_the_free_memory_at_most() -> None:
    free = int(ZooRequest()._setup("cnn", 4).env[MEMORY_MB])
    assert free > 0
    assert ZooRequest(memory_limit_mb=500)._setup("cnn", 4).env[MEMORY_MB] == "500"


def test_a_model_that_does_not_fit_gets_a_smaller_batch(
    trials: list[Setup], tmp_path: Path
) -> None:
    ZooRequest(models=("cnn",), output=tmp_path / "zoo").run()
    assert [setup.trial.per_rank_batch_size for setup in trials] == [32, 16, 8]
    (row,) = rows(tmp_path / "zoo.csv")
    assert (row["model"], row["batch_size"]) == ("cnn", "8")
    assert row["note"] == "a batch of 16 does not fit into memory"
    assert (row["train_ms"], row["infer_ms"]) == ("40.0", "10.0")
    assert (row["parameters"], row["multiply_adds"]) == ("149210", "338960")


def test_a_model_without_a_result_leaves_a_named_gap_and_the_rest_goes_on(
    trials: list[Setup], tmp_path: Path
) -> None:
    models = ("resnet152", "resnet18", "cnn")
    ZooRequest(models=models, per_rank_batch_size=4, output=tmp_path / "zoo").run()
    large, failed, small = rows(tmp_path / "zoo.csv")
    assert large["note"] == "a batch of 1 does not fit into memory"
    assert failed["note"] == "failed: Received: sides"
    assert large["train_samples_per_s"] == failed["train_samples_per_s"] == ""
    assert small["train_samples_per_s"] == "200.0"
    assert len(json.loads((tmp_path / "zoo.json").read_text())["models"]) == 3
    assert (tmp_path / "zoo.png").read_bytes().startswith(b"\x89PNG")
    assert "| cnn | 28 | 4 | 200 |" in (tmp_path / "zoo.md").read_text()


def test_ctrl_c_keeps_what_was_measured(trials: list[Setup], tmp_path: Path) -> None:
    output = tmp_path / "zoo"
    flags = ["--models", "cnn", "resnet34", "resnet50", "--output", output]
    outcome = call("benchmark", "zoo", *flags, "--per-rank-batch-size", "4")
    assert outcome.status == 130
    assert [row["model"] for row in rows(tmp_path / "zoo.csv")] == ["cnn"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("zoo.csv", "zoo.json", "zoo.md", "zoo.png"),
    ]
