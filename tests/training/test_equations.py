"""Training on equations and over all samples at once: the same on any number of ranks, resumed, evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl.training.evaluation import Evaluation, evaluate, open_subject
from tests.ranks import call_ranks
from tests.training.equation_run import train_equation

ROUNDING = 1e-7
NEWTON = {"optimizer": "hessian", "epochs": 4}
LBFGS = {"optimizer": "hessian", "optimizer_option": {"method": "l-bfgs"}, "epochs": 6}
ADAM = {"optimizer": "adam", "global_batch_size": 4, "per_rank_batch_size": 8, "epochs": 2}
RUNS: dict[str, dict[str, Any]] = {"newton": NEWTON, "l-bfgs": LBFGS, "adam": ADAM}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("equations")


@pytest.fixture(scope="module")
def alone(folder: Path) -> dict[str, Any]:
    """Return the run of Newton's method on one rank."""
    return train_equation(folder / "newton", NEWTON)


def check_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    np.testing.assert_allclose(found["weights"], expected["weights"], rtol=0, atol=ROUNDING)
    for mine, other in zip(found["history"], expected["history"], strict=True):
        assert mine["loss"] == pytest.approx(other["loss"], rel=1e-7)
        assert mine["val_loss"] == pytest.approx(other["val_loss"], rel=1e-7)


def test_three_ranks_take_the_steps_of_one(alone: dict[str, Any], tmp_path: Path) -> None:
    found, *_ = call_ranks(train_equation, tmp_path / "run", NEWTON, ranks=3)
    check_equal(found, alone)


@pytest.mark.proof
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_take_the_steps_of_one(name: str, ranks: int, tmp_path: Path) -> None:
    found, *_ = call_ranks(train_equation, tmp_path / "run", RUNS[name], ranks=ranks)
    check_equal(found, train_equation(tmp_path / "alone", RUNS[name]))


def test_the_loss_falls_in_every_iteration_and_its_cost_is_told(alone: dict[str, Any]) -> None:
    losses = [epoch["loss"] for epoch in alone["history"]]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.7 * losses[0]
    assert all(epoch["evaluations"] >= 1 and epoch["products"] >= 1 for epoch in alone["history"])
    assert all(epoch["learning_rate"] > 0 for epoch in alone["history"])


def test_a_resumed_newton_takes_the_same_steps_bit_for_bit(
    alone: dict[str, Any], tmp_path: Path
) -> None:
    train_equation(tmp_path / "run", NEWTON | {"epochs": 2})
    resumed = train_equation(tmp_path / "run", NEWTON | {"resume": "2"})
    np.testing.assert_array_equal(resumed["weights"], alone["weights"])


def test_evaluation_finds_the_loss_of_the_history(alone: dict[str, Any], folder: Path) -> None:
    evaluation = Evaluation(folder / "newton")
    results = evaluate(evaluation, open_subject(evaluation))
    assert results["loss"] == pytest.approx(alone["history"][-1]["val_loss"], rel=1e-5)


def test_a_run_ends_at_its_limits(tmp_path: Path) -> None:
    options = {"max_func_eval": 3, "method": "l-bfgs"}
    found = train_equation(tmp_path / "run", LBFGS | {"optimizer_option": options, "epochs": 9})
    assert len(found["history"]) < 5
    assert sum(epoch["evaluations"] for epoch in found["history"]) >= 3
