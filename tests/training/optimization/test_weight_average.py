"""The moving average takes the place of the weights in a validation, and nothing is lost meanwhile."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from ddl.training.optimization.weight_average import WeightAverage
from tests.training.steps.small_steps import make_steps


def averaging_model(**options: Any) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    optimizer = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5, **options)
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


@pytest.mark.parametrize("options", [{}, {"gradient_accumulation_steps": 2}])
def test_a_validation_sees_the_average_and_a_checkpoint_in_it_the_weights(
    options: dict[str, Any],
) -> None:
    model = averaging_model(**options)
    inputs = np.arange(24, dtype=np.float32).reshape(6, 4) / 24
    steps, run = make_steps(model, inputs, inputs[:, :1], 2)
    with steps:
        for _ in range(2 * run.steps_per_epoch):
            steps.take(1)
        weights = model.get_weights()
        averages = [average.numpy() for average in model.optimizer._model_variables_moving_average]
        for _ in steps.validate():
            np.testing.assert_array_equal(model.get_weights()[0], averages[0])
            with steps.training_state():
                np.testing.assert_array_equal(model.get_weights()[0], weights[0])
            np.testing.assert_array_equal(model.get_weights()[0], averages[0])
        validated = steps.results()["loss"]
        np.testing.assert_array_equal(model.get_weights()[0], weights[0])
    assert not np.array_equal(weights[0], averages[0])
    predicted = inputs @ averages[0] + averages[1]
    assert float(validated) == pytest.approx(np.mean((predicted - inputs[:, :1]) ** 2), rel=1e-5)


def test_before_the_first_update_there_is_no_average() -> None:
    model = averaging_model()
    model.optimizer.build(model.trainable_variables)
    before = model.get_weights()[0]
    with WeightAverage(model).in_place() as averaged:
        assert not averaged
        np.testing.assert_array_equal(model.get_weights()[0], before)


def test_an_optimizer_without_average_leaves_the_weights() -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    assert not WeightAverage(model).exchange()
    model.compile("sgd", "mse")
    assert not WeightAverage(model).exchange()
