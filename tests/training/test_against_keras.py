"""Our training against a plain Keras loop: the same weights, to rounding, on one rank and on two; the same accuracy.

In float32 rounding grows with every step of a deep network, in float64 it stays out of sight: so it is there that the
numbers show whether both do the same. The loop, the data and the models are in `plain_keras.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.training.plain_keras import CELLS, FACES, Outcome, train_plainly, train_with_ranks

EPOCHS = 2
TASKS = {"cells": CELLS, "faces": FACES}


@pytest.fixture
def _float64() -> Iterator[None]:
    """Let Keras compute in float64 in this process, too."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])


@functools.cache
def plain_outcome(name: str) -> Outcome:
    return train_plainly(TASKS[name], seed=0, epochs=EPOCHS)


@pytest.mark.usefixtures("_float64")
@pytest.mark.parametrize(
    ("name", "ranks"),
    [
        ("cells", 2),
        pytest.param("cells", 1, marks=pytest.mark.proof),
        pytest.param("faces", 2, marks=pytest.mark.proof),
    ],
)
def test_every_weight_is_that_of_plain_keras(name: str, ranks: int, tmp_path: Path) -> None:
    plain = plain_outcome(name)
    ours = train_with_ranks(TASKS[name], 0, EPOCHS, ranks, tmp_path / "run", "float64")
    assert farthest(plain, ours) < 1e-9  # measured: 6e-16 to 3e-14, after 5 and 20 steps of Adam
    assert np.allclose(ours.scores, plain.scores, atol=1e-6)


@pytest.mark.proof
def test_two_ranks_reach_the_accuracy_that_plain_keras_reaches(tmp_path: Path) -> None:
    """In float32, with the numbers that a user gets: of 40 pictures two ranks may find two more or less."""
    plain = max(train_plainly(FACES, 0, epochs=6).scores)
    ours = max(train_with_ranks(FACES, 0, 6, 2, tmp_path / "run").scores)
    assert min(plain, ours) >= 0.9
    assert abs(plain - ours) <= 0.05 + 1e-6


def farthest(one: Outcome, other: Outcome) -> float:
    """Return the largest difference of weights after the first epoch; in arrays beyond 1 as a share of the largest."""
    pairs = zip(one.first, other.first, strict=True)
    return max(float(np.abs(a - b).max() / max(1, np.abs(a).max())) for a, b in pairs)
