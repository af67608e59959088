"""Supervised steps have TensorFlow trace a step once, and start where Keras would."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from tests.training.steps.small_steps import make_steps


@pytest.mark.parametrize("name", ["Adam", "ScheduleFreeAdamW"])
def test_a_step_is_traced_once(name: str) -> None:
    traced: list[str] = []

    class Counting(keras.Model):
        def train_step(self, data: Any) -> Any:
            traced.append("train")
            return super().train_step(data)

    inputs = keras.Input((4,))
    model = Counting(inputs, keras.layers.Dense(1)(inputs))
    model.compile(getattr(keras.optimizers, name)(1e-6), "mse", metrics=["mae"])
    begun = model.get_weights()[0]
    steps, run = make_steps(model, np.ones((9, 4), np.float32), np.ones((9, 1), np.float32), 2)
    with steps:
        for _ in range(2 * run.steps_per_epoch):
            steps.take(1)
    assert traced == ["train"]  # twice where the first trace makes slots or metrics
    # Made within the step, Keras 3.15's ScheduleFreeAdamW starts from weights that are still zero.
    np.testing.assert_allclose(model.get_weights()[0], begun, atol=1e-3)
    assert int(model.optimizer.iterations) == 2 * run.steps_per_epoch
