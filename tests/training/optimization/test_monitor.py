"""Early stopping and plateaus decide what Keras's callbacks decide, from the history alone."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import keras
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ddl.training.optimization.monitor import Plateau, plateau_factor, should_stop

NAN = math.nan
# Eighths: Keras compares in float32, which holds them, so that no tie is decided by rounding.
EIGHTHS = st.integers(-16, 16).map(lambda number: number / 8)
VALUES = st.lists(EIGHTHS | st.sampled_from([NAN, math.inf]), max_size=25).filter(
    lambda values: (
        not values or not math.isnan(values[0])
    )  # which Keras takes for the best for ever
)
RULE = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(["min", "max"]),
        "patience": st.integers(1, 5),
        "min_delta": st.sampled_from([0.0, 0.125, 0.5]),
    }
)


def keras_stops(values: list[float], rule: dict[str, Any]) -> list[bool]:
    """Return whether Keras's callback asks to stop, after each epoch."""
    callback = keras.callbacks.EarlyStopping(monitor="watched", **rule)
    model = SimpleNamespace(stop_training=False)
    callback._model = model
    callback.on_train_begin()
    stops = []
    for epoch, value in enumerate(values):
        model.stop_training = False
        callback.on_epoch_end(epoch, {"watched": value})
        stops.append(model.stop_training)
    return stops


def keras_factors(values: list[float], rule: dict[str, Any]) -> list[float]:
    """Return what Keras's callback makes of a learning rate of 1, after each epoch."""
    rule = {**rule, "min_lr": rule["min_factor"]}
    del rule["min_factor"]
    callback = keras.callbacks.ReduceLROnPlateau(monitor="watched", **rule)
    model = SimpleNamespace(optimizer=SimpleNamespace(learning_rate=1.0))
    callback._model = model
    callback.on_train_begin()
    factors = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {"watched": value})
        factors.append(model.optimizer.learning_rate)
    return factors


@settings(max_examples=60, deadline=None)
@given(values=VALUES, rule=RULE, patience=st.integers(0, 5))
def test_it_stops_where_keras_does(
    values: list[float], rule: dict[str, Any], patience: int
) -> None:
    rule = {**rule, "patience": patience}
    found = [should_stop(values[: end + 1], **rule) for end in range(len(values))]
    assert found == keras_stops(values, rule)


@settings(max_examples=60, deadline=None)
@given(
    values=VALUES,
    rule=RULE,
    factor=st.sampled_from([0.5, 0.25]),
    cooldown=st.integers(0, 4),
    min_factor=st.sampled_from([0.0, 0.125, 0.3]),
)
@example(
    [1.0] * 12, {"mode": "min", "patience": 2, "min_delta": 0.0}, 0.5, 3, 0.3
)  # falls, cools, falls to the floor
def test_the_rate_falls_where_that_of_keras_does(
    values: list[float], rule: dict[str, Any], factor: float, cooldown: int, min_factor: float
) -> None:
    rule = {**rule, "factor": factor, "cooldown": cooldown, "min_factor": min_factor}
    plateau = Plateau(**{name: value for name, value in rule.items() if name != "mode"})
    found = [
        plateau_factor(values[: end + 1], plateau, mode=rule["mode"]) for end in range(len(values))
    ]
    assert found == pytest.approx(keras_factors(values, rule), rel=1e-6)


@pytest.mark.parametrize(
    ("values", "waited"),
    [
        ([], 0),
        ([1.0], 0),
        ([1.0, 0.9, 0.95, 0.9], 2),
        ([NAN, NAN], 2),
        ([NAN, NAN, 5.0, NAN], 1),
        ([math.inf, 3.0], 0),
    ],
)
def test_a_nan_is_no_progress(values: list[float], waited: int) -> None:
    for patience in (1, 2, 3):
        assert should_stop(values, mode="min", patience=patience) == (waited >= patience)


def test_a_nan_at_first_does_not_hide_what_comes_later() -> None:
    assert not should_stop([NAN], mode="min", patience=1)
    assert not should_stop([NAN, NAN, 2.0, 1.0], mode="min", patience=2)
    assert should_stop([NAN, NAN], mode="min", patience=2)
    plateau = Plateau(factor=0.5, patience=2)
    assert plateau_factor([NAN, 2.0, 1.0, NAN], plateau, mode="min") == 1
    assert plateau_factor([NAN, NAN], plateau, mode="max") == 0.5


@pytest.mark.parametrize(
    ("rule", "lowest"),
    [("clip", [1e-1, 1e-2, 1e-3, 4e-4, 4e-4]), ("skip", [1e-1, 1e-2, 1e-3, 1e-3, 1e-3])],
)
def test_a_floor_is_a_learning_rate(rule: str, lowest: list[float]) -> None:
    plateau = Plateau(factor=0.1, patience=1, floor=4e-4, floor_rule=rule)
    found = [
        0.1 * plateau_factor([1.0] * epochs, plateau, mode="min", full_rate=0.1)
        for epochs in range(1, 6)
    ]
    assert found == pytest.approx(lowest)


@pytest.mark.parametrize("rule", ["clip", "skip"])
def test_a_floor_is_reached_whatever_the_rounding(rule: str) -> None:
    plateau = Plateau(factor=0.1, patience=1, floor=1e-5, floor_rule=rule)
    factor = plateau_factor([1.0] * 9, plateau, mode="min", full_rate=1e-2)
    assert factor * 1e-2 == pytest.approx(1e-5)
