"""The learning rate for N ranks: its scale, its warm-up as a function of the step, and that plain Keras loads it."""

from __future__ import annotations

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.distributed.learning_rate import scale_factor, scaled_learning_rate


@pytest.mark.parametrize(("rule", "factor"), [("linear", 16.0), ("sqrt", 4.0), ("none", 1.0)])
def test_rules(rule: str, factor: float) -> None:
    assert scale_factor(rule, 16) == factor
    assert scale_factor(rule, 1) == 1
    assert scaled_learning_rate(0.1, ranks=16, scaling=rule) == pytest.approx(0.1 * factor)


@given(step=st.integers(0, 200), warmup=st.integers(1, 100), ranks=st.integers(1, 64))
def test_warm_up_is_a_straight_line_and_then_flat(step: int, warmup: int, ranks: int) -> None:
    schedule = scaled_learning_rate(0.01, ranks=ranks, scaling="linear", warmup_steps=warmup)
    expected = 0.01 + (0.01 * ranks - 0.01) * min(step / warmup, 1)
    assert float(schedule(step)) == pytest.approx(expected, rel=1e-5)


def test_a_schedule_is_keras_own_so_that_saved_models_load_without_ddl() -> None:
    schedule = scaled_learning_rate(0.01, ranks=4, warmup_steps=10)
    assert type(schedule).__module__.startswith("keras.")
    stored = keras.saving.serialize_keras_object(keras.optimizers.SGD(schedule))
    assert "ddl" not in str(stored)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"learning_rate": 0.0}, r"learning_rate=0.0. Expected: a number above 0"),
        ({"learning_rate": "fast"}, r"learning_rate='fast'"),
        ({"learning_rate": 0.1, "scaling": "cubic"}, r"Expected one of: linear, sqrt, none"),
        ({"learning_rate": 0.1, "warmup_steps": -1}, r"warmup_steps=-1"),
        ({"learning_rate": 0.1, "ranks": 0}, r"ranks=0. Expected: above 0"),
    ],
)
def test_bad_values_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scaled_learning_rate(**{"ranks": 2, **arguments})
