"""What steps leave behind: the loss and the norm of each batch, with blocks, accumulation and a loss scale."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import ddl.distributed as dist
from tests.ranks import call_ranks
from tests.training.steps.small_steps import make_steps

STEPS = 6


def noted(
    size: int, jit: str = "false", options: dict[str, Any] | None = None, policy: str = "float32"
) -> list[list[float]]:
    """Train an epoch in blocks of `size` steps; return [loss, norm, accuracy] of each batch; a norm of None is -1."""
    keras.config.set_dtype_policy(policy)
    try:
        keras.utils.set_random_seed(1)
        inputs = keras.Input((4,))
        x = keras.layers.Dense(3, activation="tanh")(inputs)
        model = keras.Model(inputs, keras.layers.Dense(1, dtype="float32")(x))
        optimizer = dist.DistributedOptimizer(
            keras.optimizers.SGD(0.05, global_clipnorm=0.1, **(options or {})), gradient_norm=True
        )
        model.compile(optimizer, "mse", metrics=[keras.metrics.R2Score(name="r2")])
        x = np.random.default_rng(0).random((STEPS * 12 - 3, 4), np.float32)
        steps, run = make_steps(
            model, x, x.sum(-1, keepdims=True), 12 // dist.size(), jit=jit, metric=("r2",),
            notes_batches=True,
        )  # fmt: skip
        rows: list[list[float]] = []
        with steps:
            steps.begin_epoch()
            while run.position.step < STEPS:
                run.advance(steps.take(size).count)
                rows += [
                    [b.loss, -1 if b.gradient_norm is None else b.gradient_norm, b.accuracy]
                    for b in steps.batches()
                ]
            assert rows[-1][2] == pytest.approx(float(steps.results()["r2"]), rel=1e-5)
        return rows
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def single() -> np.ndarray:
    """Return the notes of steps taken one by one in this process."""
    return np.array(noted(1))


def test_loss_and_norm_are_those_of_a_step_by_hand(single: np.ndarray) -> None:
    assert single.shape == (STEPS, 3)
    assert (single[:, 1] > 0.1).all()  # before clipping
    assert (np.diff(single[:, 0]) != 0).all()


@pytest.mark.parametrize(("size", "jit"), [(4, "false"), (1, "true"), (3, "true")])
def test_blocks_and_compiled_steps_note_the_same(single: np.ndarray, size: int, jit: str) -> None:
    np.testing.assert_allclose(noted(size, jit), single, rtol=1e-4)


def test_two_ranks_note_what_one_does(single: np.ndarray) -> None:
    two = call_ranks(noted, 1)
    assert two[0] == two[1]
    np.testing.assert_allclose(two[0], single, rtol=1e-4)


@pytest.mark.parametrize("ranks", [1, 2])
def test_an_accumulated_gradient_has_the_norm_of_its_mean(single: np.ndarray, ranks: int) -> None:
    options = {"gradient_accumulation_steps": 2}
    found = np.array(
        noted(1, options=options) if ranks == 1 else call_ranks(noted, 1, "false", options)[0]
    )
    assert (found[::2, 1] == -1).all()
    assert (found[1::2, 1] > 0).all()
    assert found[1, 1] <= np.mean([single[0, 1], single[0, 1] * 1.5])


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_loss_scale_is_not_in_the_norm(single: np.ndarray, ranks: int) -> None:
    arguments = (1, "false", {}, "mixed_float16")
    found = np.array(noted(*arguments) if ranks == 1 else call_ranks(noted, *arguments)[0])
    taken = found[:, 1] >= 0
    assert taken.any()
    first = np.argmax(taken)  # the scale starts high, and skips steps until it fits
    assert found[first, 1] == pytest.approx(single[0, 1], rel=0.2)
