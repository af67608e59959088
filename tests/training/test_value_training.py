"""Training on targets that are values: the same on any number of ranks, and whole without any validation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.ranks import call_ranks
from tests.training.value_run import PATCHES, train_coder, write_data

Result = dict[str, Any]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("values") / "data")


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory, data: Path) -> tuple[Path, Result]:
    """Train on patches in this process, without validation."""
    run_dir = tmp_path_factory.mktemp("single") / "run"
    fields = {"transform": PATCHES, "restore_best": True, "early_stopping_patience": 9}
    return run_dir, train_coder(run_dir, data, fields)


def assert_same(results: list[Result], reference: Result) -> None:
    np.testing.assert_allclose(results[0]["weights"], reference["weights"], rtol=0, atol=1e-6)
    for epoch, expected in zip(results[0]["history"], reference["history"], strict=True):
        for name in ("loss", "mae"):
            assert epoch[name] == pytest.approx(expected[name], abs=1e-7)


def test_random_patches_give_the_same_weights_on_two_ranks(
    tmp_path: Path, data: Path, single: tuple[Path, Result]
) -> None:
    results = call_ranks(train_coder, tmp_path / "run", data, {"transform": PATCHES}, ranks=2)
    assert_same(results, single[1])


@pytest.mark.proof
@pytest.mark.parametrize("transform", [PATCHES, ["random_rotate=20"]])
def test_three_ranks_give_the_same_weights(
    tmp_path: Path, data: Path, transform: list[str]
) -> None:
    fields = {"transform": transform}
    one = train_coder(tmp_path / "1", data, fields)
    assert_same(call_ranks(train_coder, tmp_path / "3", data, fields, ranks=3), one)


def test_it_learns_without_validation(single: tuple[Path, Result]) -> None:
    history = single[1]["history"]
    assert history[-1]["loss"] < history[0]["loss"]
    assert not [name for epoch in history for name in epoch if name.startswith("val_")]


def read(run: Path, name: str) -> Any:
    return json.loads((run / name).read_text())


def sizes(run: Path, *names: str) -> list[int]:
    return [(run / name).stat().st_size for name in names]


CHECKS: dict[str, Callable[[Path], bool]] = {
    "the plan watches the loss": lambda run: read(run, "plan.json")["monitor"] == "loss",
    "it is drawn": lambda run: min(sizes(run, "curves.png", "samples.png")) > 5000,
    "the report is whole": lambda run: read(run, "report.json")["epochs"] == 3,
    "the best checkpoint stays": lambda run: any((run / "checkpoints").iterdir()),
    "the model predicts values": lambda run: read(run, "preprocessing.json")["target"] == "values",
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_run_without_validation_is_whole(single: tuple[Path, Result], name: str) -> None:
    assert CHECKS[name](single[0])


@pytest.mark.proof
def test_a_resumed_run_ends_with_the_same_weights(
    tmp_path: Path, data: Path, single: tuple[Path, Result]
) -> None:
    run_dir, fields = tmp_path / "run", {"transform": PATCHES}
    train_coder(run_dir, data, {**fields, "epochs": 1})
    resumed = train_coder(run_dir, data, {**fields, "resume": "auto"})
    np.testing.assert_array_equal(resumed["weights"], single[1]["weights"])
