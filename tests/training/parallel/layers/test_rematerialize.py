"""Rematerialization keeps the numbers of a training step, and what is saved of a model."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from ddl.models.unet import build_unet
from ddl.training.parallel.layers.blocks import Made, divide
from ddl.training.parallel.layers.rematerialize import rematerialize

ALL = 1e-9


def trained(remat: bool, dtype: str = "float64", jit: bool = False, **options: Any) -> list[Any]:
    """Return all variables after two steps of a small U-Net."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        keras.utils.set_random_seed(0)
        model = build_unet((8, 8, 2), width=2, depth=1, **options)
        model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy", jit_compile=jit)
        if remat:
            rematerialize(model, ALL, 4)
        random = np.random.default_rng(0)
        x, y = random.random((4, 8, 8, 2)), random.integers(0, 2, (4, 8, 8, 1))
        for _ in range(2):
            model.train_on_batch(x, y)
        return [variable.numpy() for variable in model.variables]
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("norm", ["sync", "group"])
def test_a_step_has_the_numbers_of_one_that_keeps_all(norm: str) -> None:
    for mine, other in zip(trained(True, norm=norm), trained(False, norm=norm), strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-10)


def test_statistics_move_once_and_dropout_draws_alike() -> None:
    options = {"norm": "batch", "dropout": 0.5, "dtype": "float32"}
    for mine, other in zip(trained(True, **options), trained(False, **options), strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-6)


@pytest.mark.proof
def test_mixed_precision_and_xla_keep_the_numbers() -> None:
    for how in ({"dtype": "mixed_bfloat16"}, {"dtype": "float32", "jit": True}):
        for mine, other in zip(
            trained(True, norm="group", **how), trained(False, norm="group", **how), strict=True
        ):
            np.testing.assert_allclose(mine, other, rtol=0, atol=2e-2 if "jit" not in how else 1e-5)


def test_masks_are_refused_by_name() -> None:
    inputs = keras.Input((5, 2))
    model = keras.Model(inputs, keras.layers.LSTM(2)(keras.layers.Masking(name="gaps")(inputs)))
    with pytest.raises(ValueError, match="remat with layer gaps"):
        rematerialize(model, ALL, 4)


def test_a_chain_is_divided_into_blocks_of_which_little_is_kept() -> None:
    tensors = [Made(place, place + 1, 1, 1) for place in range(16)]
    blocks = divide(16, tensors, [False] * 16)
    assert 3 <= len(blocks) <= 8
    assert blocks[0][0] == 0
    assert blocks[-1][1] == 16


def test_small_outputs_stay_outside() -> None:
    tensors = [Made(place, place + 1, 1, 1) for place in range(8)]
    blocks = divide(8, tensors, [place == 4 for place in range(8)])
    assert all(not first <= 4 < end for first, end in blocks)
