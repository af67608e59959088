"""N ranks equal one for every family of classifiers: ten steps in float64, synchronized norms, no dropout.

The first tier has small networks on two ranks, `--all` has every family on 1, 2 and 4.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.distributed.cases import BOUNDS
from tests.distributed.test_numbers import compare
from tests.models.zoo_row import train_in_plain_keras, train_on_ranks
from tests.ranks import call_plain_keras, call_ranks

pytestmark = pytest.mark.timeout(900)

SMALL: dict[str, dict[str, Any]] = {
    "cnn": {},
    "simplecnn": {"dropout": 0},
    "mlp": {"dense": 16},
    "alexnet": {"small_input": True, "dense": 16, "dropout": 0},
    "vgg1": {"width": 4, "dense": 16},
    "vgg11": {"width": 4, "dense": 16, "dropout": 0},
    "googlenet": {"dropout": 0},
    "densenet21": {"small_input": True, "growth": 4},
    "densenet40": {"growth": 4},
    "resnet10": {"width": 4, "small_input": True},
    "resnet20": {"width": 4},
}
"""Model -> options; all with norm=sync, on pictures of 32 pixels."""

FIRST = ("cnn", "vgg1", "densenet21", "resnet10")
"""What the others have besides is a matter of size, of dropout, or of Keras's own builders."""

LARGE: dict[str, tuple[int, dict[str, Any]]] = {
    "mobilenet": (64, {"dropout": 0}),
    "mobilenetv2": (64, {}),
    "mobilenetv3small": (64, {"dropout": 0}),
    "inceptionv3": (75, {}),
    "inceptionresnetv2": (75, {}),
    "xception": (71, {}),
    "nasnetmobile": (64, {}),
    "efficientnetb0": (64, {"dropout": 0, "drop_path": 0}),
    "efficientnetv2b0": (64, {"dropout": 0, "drop_path": 0}),
    "convnexttiny": (64, {}),
    "resnet50v2": (64, {}),
}
"""Families of `keras.applications` -> side in pixels, options."""


def check(name: str, side: int, options: dict[str, Any], ranks: int, folder: Path) -> None:
    start = folder / "start.keras"
    if name != "convnexttiny":  # which has no batch normalization
        options = {"norm": "sync", **options}
    got = call_ranks(
        train_on_ranks, start, name, options, [side, side, 3], ranks=ranks, timeout_s=600
    )[0]
    found = compare(got, call_plain_keras(train_in_plain_keras, start))
    assert found.largest <= BOUNDS["float64"], f"{found.where}: {found.largest:.2e}"
    assert found.compared > 4


@pytest.mark.parametrize("name", FIRST)
def test_two_ranks_equal_one(name: str, tmp_path: Path) -> None:
    check(name, 32, SMALL[name], 2, tmp_path)


@pytest.mark.proof
def test_norms_of_each_rank_are_noticed(tmp_path: Path) -> None:
    start = tmp_path / "start.keras"
    options = {"norm": "batch", **SMALL["vgg1"]}
    got = call_ranks(train_on_ranks, start, "vgg1", options, [32, 32, 3], ranks=2)[0]
    assert compare(got, call_plain_keras(train_in_plain_keras, start)).largest > 1e-4


@pytest.mark.proof
@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("name", SMALL)
def test_any_number_of_ranks_equals_one(name: str, ranks: int, tmp_path: Path) -> None:
    check(name, 32, SMALL[name], ranks, tmp_path)


@pytest.mark.proof
@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("name", LARGE)
def test_any_number_of_ranks_equals_one_for_networks_of_keras(
    name: str, ranks: int, tmp_path: Path
) -> None:
    side, options = LARGE[name]
    check(name, side, options, ranks, tmp_path)
