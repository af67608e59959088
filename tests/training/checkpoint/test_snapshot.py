"""A training that goes on from a checkpoint is the one that never stopped, bit for bit, on every rank."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ddl.training.checkpoint.checkpoint_file import open_checkpoint
from ddl.training.checkpoint.snapshot import combined
from tests.ranks import call_ranks
from tests.training.resume_program import CASES, run

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("resume")
    for ranks, action in ((2, "whole"), (2, "again"), (3, "other")):
        call_ranks(run, made, action, ranks=ranks)
    return made


def load(path: Path) -> Arrays:
    with np.load(path) as stored:
        return dict(stored)


def of_ranks(folder: Path, what: str, ranks: int) -> list[Arrays]:
    return [load(folder / f"{what}-{rank}.npz") for rank in range(ranks)]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rank", [0, 1])
def test_as_many_ranks_go_on_bit_for_bit(folder: Path, case: str, rank: int) -> None:
    whole, again = (load(folder / case / f"{name}-{rank}.npz") for name in ("whole", "again"))
    assert list(whole) == list(again)
    assert {"log loss", "log mae", "slot 0 iteration"} < set(whole)
    for name, values in whole.items():
        np.testing.assert_array_equal(again[name], values, err_msg=name)


def test_what_a_rank_had_of_its_own_is_there_before_the_first_step(folder: Path) -> None:
    stop, restored = (
        of_ranks(folder / "own state", what, 2) for what in ("stop", "restored-again")
    )
    for one, two in zip(stop, restored, strict=True):
        assert list(one) == list(two)
        for name, values in one.items():
            np.testing.assert_array_equal(two[name], values, err_msg=name)
    differing = [name for name in stop[0] if not np.array_equal(stop[0][name], stop[1][name])]
    for part in ("seed_generator_state", "moving_variance", "gradient_accumulator", "metric 0"):
        assert any(part in name for name in differing), f"the test shows nothing about {part}"
    shared = [name for name in stop[0] if name not in differing]
    assert any("momentum" in name for name in shared)


def test_another_number_of_ranks_starts_from_what_two_had_together(folder: Path) -> None:
    two = of_ranks(folder / "own state", "stop", 2)
    three = of_ranks(folder / "own state", "restored-other", 3)
    for name, values in two[0].items():
        ours = [rank[name] for rank in three]
        both = [rank[name].astype(np.float64) for rank in two]
        if "seed" in name:
            assert len({tuple(seed) for seed in ours}) == 3
        elif name.startswith("metric"):
            np.testing.assert_allclose(sum(ours), sum(both), rtol=1e-6)
        else:
            mean = np.mean(both, axis=0).astype(values.dtype)
            for mine in ours:
                np.testing.assert_array_equal(mine, mean, err_msg=name)


@pytest.mark.parametrize("case", CASES)
def test_another_number_of_ranks_learns_the_same_on_each(folder: Path, case: str) -> None:
    three = of_ranks(folder / case, "other", 3)
    for name, values in three[0].items():
        if "seed" not in name and not name.startswith("metric"):
            for other in three[1:]:
                np.testing.assert_array_equal(other[name], values, err_msg=name)


def test_the_file_holds_means_for_those_who_know_nothing_of_ranks(folder: Path) -> None:
    snapshot = open_checkpoint(folder / "own state" / "epoch.h5").read()
    stored = dict(pair for _, weights in snapshot.weights for pair in weights)
    ranks = of_ranks(folder / "own state", "stop", 2)
    name = next(name for name in ranks[0] if name.endswith("norm.moving_mean"))
    mean = np.mean([rank[name].astype(np.float64) for rank in ranks], axis=0).astype("float32")
    np.testing.assert_array_equal(stored["small/norm/moving_mean"], mean)


def test_a_wrong_model_is_refused_on_every_rank(folder: Path) -> None:
    texts = {(folder / CASES[1] / f"refused-{rank}.txt").read_text() for rank in range(3)}
    assert len(texts) == 1
    assert "weight 'small/dense_6/kernel'" in texts.pop()


def test_variables_combine_as_they_say() -> None:
    values = [np.array([1, 2], np.int32), np.array([3, 5], np.int32)]
    assert combined(values, "sum").tolist() == [4, 7]
    assert combined(values, "mean").tolist() == [2, 3]
    assert combined(values, "only_first_replica").tolist() == [1, 2]
    assert combined(values, "none").dtype == np.int32
