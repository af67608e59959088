"""Balanced steps: what one process learns, whatever the shares; and one slow rank no longer slows all."""

from __future__ import annotations

import itertools
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.ranks import call_ranks
from tests.training.parallel.balanced_run import train_slowed

FIELDS: dict[str, Any] = {"global_batch_size": 12, "per_rank_batch_size": 8, "epochs": 4}
BALANCED = FIELDS | {"parallel": "balanced"}
SLOW = {"which": 1, "sample_ms": 12.0}  # far above the noise of a busy machine


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the run of one process."""
    return train_slowed(tmp_path_factory.mktemp("alone") / "run", FIELDS, {})


def check_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Check weights, losses and metrics. The model has synchronized norm, and a short last step."""
    np.testing.assert_allclose(found["weights"], expected["weights"], rtol=0, atol=1e-10)
    for mine, other in zip(found["history"], expected["history"], strict=True):
        for name in ("loss", "val_loss", "top_1", "val_top_1"):
            assert mine[name] == pytest.approx(other[name], rel=1e-9, abs=1e-12)


def test_shares_that_follow_speeds_learn_what_one_process_learns(
    alone: dict[str, Any], tmp_path: Path
) -> None:
    found, *others = call_ranks(train_slowed, tmp_path / "run", BALANCED, SLOW, ranks=3)
    check_equal(found, alone)
    assert found["shares"][0] == [4, 4, 4]
    first, slow, last = found["shares"][-1]
    assert first + slow + last == 12
    assert slow <= 2
    assert all(other["shares"] == found["shares"] for other in others)


def test_fixed_shares_give_the_same_bits_also_resumed_by_others(
    alone: dict[str, Any], tmp_path: Path
) -> None:
    fields = BALANCED | {"shares": [5, 6, 1]}
    one, again = (
        call_ranks(train_slowed, tmp_path / name, fields, {}, ranks=3)[0] for name in "ab"
    )
    np.testing.assert_array_equal(one["weights"], again["weights"])
    check_equal(one, alone)
    assert {tuple(shares) for shares in one["shares"]} == {(5, 6, 1)}
    call_ranks(train_slowed, tmp_path / "run", fields | {"epochs": 2}, {}, ranks=3)
    changed = BALANCED | {"shares": [3, 9], "resume": "2"}
    resumed, _ = call_ranks(train_slowed, tmp_path / "run", changed, {}, ranks=2)
    check_equal(resumed, alone)


@pytest.mark.proof
@pytest.mark.alone
def test_a_slow_rank_among_four_no_longer_slows_all(tmp_path: Path) -> None:
    fields = FIELDS | {"global_batch_size": 16, "epochs": 60, "validate_every_epochs": 60}
    slow = {"which": 3, "sample_ms": 20.0}
    step_s = {}
    for mode in ("sync", "balanced"):
        changed = fields | {"parallel": mode, "epochs": 20 if mode == "sync" else 60}
        found, *_ = call_ranks(train_slowed, tmp_path / mode, changed, slow, ranks=4)
        step_s[mode] = seconds_of_a_full_step(found)
    ideal_s = 16 * 0.020 / (3 + 1 / 5)
    assert step_s["sync"] / step_s["balanced"] >= 2.5
    assert step_s["balanced"] <= 1.2 * ideal_s


@pytest.mark.proof
@pytest.mark.alone
def test_shares_follow_a_rank_that_becomes_slow_in_mid_run(tmp_path: Path) -> None:
    slow = {"which": 0, "sample_ms": 10.0, "from_step": 24}
    fields = BALANCED | {"epochs": 16}
    found, *_ = call_ranks(train_slowed, tmp_path / "run", fields, slow, ranks=3)
    assert min(shares[0] for shares in found["shares"][:20]) >= 3
    assert found["shares"][-1][0] <= 2
    check_equal(found, train_slowed(tmp_path / "alone", FIELDS | {"epochs": 16}, {}))


@pytest.mark.proof
@pytest.mark.alone
def test_equal_ranks_are_no_slower_than_in_sync(tmp_path: Path) -> None:
    fields = FIELDS | {"epochs": 20, "validate_every_epochs": 20}
    even = {"which": 0, "sample_ms": 10.0, "times": 1.0}
    ratios = []
    for number in range(3):
        step_s = {}
        for mode in ("sync", "balanced"):
            run_dir = tmp_path / f"{mode}-{number}"
            found, *_ = call_ranks(
                train_slowed, run_dir, fields | {"parallel": mode}, even, ranks=2
            )
            step_s[mode] = seconds_of_a_full_step(found)
        ratios.append(step_s["balanced"] / step_s["sync"])
    assert statistics.median(ratios) < 1.03


def seconds_of_a_full_step(found: dict[str, Any]) -> float:
    """Return the median over the second half of the run's full steps."""
    ends = found["ends"]
    steps = [
        (late - early) / (at - before)
        for (before, early), (at, late) in itertools.pairwise(ends)
        if at > before and at < max(at for at, _ in ends)
    ]
    return statistics.median(steps[len(steps) // 2 :])
