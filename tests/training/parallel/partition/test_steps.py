"""A model whose layers are divided among ranks learns what one process learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.ranks import call_ranks
from tests.training.parallel.layered_run import NAME, equal, train_small

HALVES: dict[str, Any] = {"partition": "layers:2"}
THIRDS: dict[str, Any] = {"partition": "layers:3"}
SYNC = {"model_option": {"width": 2, "depth": 2, "norm": "sync"}}
TWO_WAYS: dict[str, Any] = {"model": NAME, "model_option": {}}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return train_small(tmp_path_factory.mktemp("alone") / "run", {})


def test_two_ranks_with_micro_batches_of_unlike_size_learn_what_one_process_learns(
    alone: dict[str, Any], tmp_path: Path
) -> None:
    found, _ = call_ranks(train_small, tmp_path / "run", HALVES | {"micro_batches": 2}, ranks=2)
    equal(found, alone)


def test_statistics_of_a_whole_batch_are_those_of_one_process(tmp_path: Path) -> None:
    found, _ = call_ranks(train_small, tmp_path / "run", HALVES | SYNC, ranks=2)
    equal(found, train_small(tmp_path / "alone", SYNC))


@pytest.mark.proof
@pytest.mark.parametrize("micro_batches", [1, 4])
def test_micro_batches_change_nothing(
    micro_batches: int, alone: dict[str, Any], tmp_path: Path
) -> None:
    fields = HALVES | {"micro_batches": micro_batches, "partition_at": ("up_1_enter_conv",)}
    found, _ = call_ranks(train_small, tmp_path / "run", fields, ranks=2)
    equal(found, alone)


@pytest.mark.proof
def test_three_parts_send_their_skips_past_each_other(
    alone: dict[str, Any], tmp_path: Path
) -> None:
    at = {"partition_at": ("bottom_conv_1", "up_0_enter_conv"), "micro_batches": 3}
    found, *_ = call_ranks(train_small, tmp_path / "run", THIRDS | at, ranks=3)
    equal(found, alone)


@pytest.mark.proof
def test_two_groups_of_two_parts_average_their_gradients(
    alone: dict[str, Any], tmp_path: Path
) -> None:
    found, *_ = call_ranks(train_small, tmp_path / "run", HALVES | {"micro_batches": 2}, ranks=4)
    equal(found, alone)


@pytest.mark.proof
def test_layers_called_twice_and_regularization_count_once(tmp_path: Path) -> None:
    fields = TWO_WAYS | HALVES | {"partition_at": ("middle",), "micro_batches": 2, "remat": 1e-6}
    found, _ = call_ranks(train_small, tmp_path / "run", fields, ranks=2)
    equal(found, train_small(tmp_path / "alone", TWO_WAYS))


@pytest.mark.proof
def test_deep_supervision_brings_all_outputs_to_the_last_part(tmp_path: Path) -> None:
    deep = {"model_option": {"width": 2, "depth": 2, "norm": "group", "deep_supervision": True}}
    fields = HALVES | deep | {"partition_at": ("up_0_enter_conv",), "micro_batches": 2}
    found, _ = call_ranks(train_small, tmp_path / "run", fields, ranks=2)
    equal(found, train_small(tmp_path / "alone", deep))


def test_a_checkpoint_goes_on_in_one_process_and_back(
    alone: dict[str, Any], tmp_path: Path
) -> None:
    folder, parts = tmp_path / "run", HALVES | {"micro_batches": 2, "checkpoint_every_epochs": 1}
    call_ranks(train_small, folder, parts | {"epochs": 1}, ranks=2)
    resumed = train_small(folder, {"resume": "1"})
    equal(resumed, alone)
    call_ranks(train_small, folder, parts | {"resume": "2", "epochs": 3}, ranks=2)


@pytest.mark.proof
def test_a_checkpoint_of_one_process_goes_on_divided(tmp_path: Path, alone: dict[str, Any]) -> None:
    folder, each = tmp_path / "run", {"checkpoint_every_epochs": 1}
    train_small(folder, each | {"epochs": 1})
    found, _ = call_ranks(
        train_small, folder, each | HALVES | {"resume": "1", "micro_batches": 2}, ranks=2
    )
    equal(found, alone)
    assert np.isfinite(found["weights"]).all()
