"""Random numbers in a compiled step are those that TensorFlow draws without XLA."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddl.distributed.keras_patches.xla_draws import drawn_as_without_xla, other_draw


def drawn(draw: Any, *, compiled: bool) -> Any:
    """Return a function that draws with a seed of its own that starts anew."""
    generator = keras.random.SeedGenerator(7)

    @tf.function(jit_compile=compiled)
    def function() -> Any:
        if not compiled:
            return draw(generator)
        with drawn_as_without_xla():
            return draw(generator)

    return function


@pytest.mark.parametrize(
    "draw",
    [
        lambda seed: keras.random.dropout(tf.fill((50, 3), 2.0), 0.3, seed=seed),
        lambda seed: keras.random.dropout(tf.ones((9, 4, 3)), 0.5, (None, 1, 3), seed=seed),
        lambda seed: keras.random.uniform((40,), -1.0, 3.0, seed=seed),
    ],
    ids=["dropout", "dropout of rows", "uniform"],
)
def test_the_numbers_are_the_same_bits(draw: Any) -> None:
    plain, fast = drawn(draw, compiled=False), drawn(draw, compiled=True)
    for _ in range(2):
        np.testing.assert_array_equal(plain(), fast())
    assert other_draw(fast.get_concrete_function().graph) is None


def test_another_draw_is_named() -> None:
    fast = drawn(lambda seed: keras.random.normal((4,), seed=seed), compiled=True)
    assert other_draw(fast.get_concrete_function().graph) == "StatelessRandomNormalV2"
    assert tf.random.stateless_uniform.__module__.startswith("tensorflow")  # put back
