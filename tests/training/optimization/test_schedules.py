"""The learning rate as a function of the step: against Keras's own schedules, in graphs, and inside `fit`."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.distributed.learning_rate import scaled_learning_rate
from ddl.options import parse_value
from ddl.training.optimization.keras_schedule import build_schedule
from ddl.training.optimization.optimizers import build_optimizer
from ddl.training.optimization.schedules import (
    SCHEDULES,
    Course,
    learning_rate_at,
    needs_length,
)

STEPS = np.arange(0, 120)
RUN = {"learning_rate": 0.4, "steps_per_epoch": 10, "epochs": 10}
keras_schedules = keras.optimizers.schedules


def rates(name: str, steps: Any = STEPS, **settings: Any) -> Any:
    return learning_rate_at(steps, Course(name, **{**RUN, **settings}))


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("constant", {}, lambda step: 0.4),
        ("plateau", {}, lambda step: 0.4),
        (
            "step",
            {"milestones": (2, 5.55), "factor": 0.5},
            keras_schedules.PiecewiseConstantDecay([19, 55], [0.4, 0.2, 0.1]),
        ),
        ("cosine", {"final_factor": 0.1}, keras_schedules.CosineDecay(0.4, 100, alpha=0.1)),
        (
            "polynomial",
            {"power": 2, "final_factor": 0.25},
            keras_schedules.PolynomialDecay(0.4, 100, 0.1, power=2),
        ),
        ("exponential", {"factor": 0.5}, keras_schedules.ExponentialDecay(0.4, 10, 0.5)),
    ],
)
def test_a_schedule_is_the_one_of_keras_that_it_is_called_after(
    name: str, options: dict[str, Any], expected: Any
) -> None:
    found = rates(name, options=options)
    assert found.dtype == np.float64
    assert found == pytest.approx([float(expected(int(step))) for step in STEPS], rel=1e-5)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_warms_up_from_one_rank_to_all(name: str) -> None:
    warm = {"warmup_epochs": 2.5, "scaling": "linear", "ranks": 8}
    found = rates(name, **warm)
    line = scaled_learning_rate(0.4, ranks=8, warmup_steps=25)
    assert found[:26] == pytest.approx([float(line(int(step))) for step in STEPS[:26]], rel=1e-6)
    assert found[25] == pytest.approx(3.2)
    assert rates(name, scaling="sqrt", ranks=4)[0] == pytest.approx(0.8)
    if needs_length(name):
        assert found[100] == pytest.approx(0, abs=1e-12)
        assert found[62] == pytest.approx(1.6, rel=0.05)  # half-way between warm-up and end


@pytest.mark.parametrize("name", SCHEDULES)
@settings(max_examples=15, deadline=None)
@given(
    step=st.integers(0, 2**40),
    warmup=st.sampled_from([0.0, 0.25, 3.0, 50.0]),
    steps_per_epoch=st.sampled_from([1, 7, 2**20 + 1]),
    ranks=st.integers(1, 64),
)
def test_keras_gets_the_rate_of_the_definition(
    name: str, step: int, warmup: float, steps_per_epoch: int, ranks: int
) -> None:
    run = {
        "learning_rate": 0.1,
        "steps_per_epoch": steps_per_epoch,
        "epochs": 50,
        "warmup_epochs": warmup,
        "scaling": "sqrt",
        "ranks": ranks,
    }
    schedule = build_schedule(Course(name, **run))
    expected = learning_rate_at(step, Course(name, **run))
    # Relative to the rate, or where a cosine has all but reached zero, to the full rate.
    bound = pytest.approx(float(expected), rel=1e-6, abs=1e-38)
    assert float(schedule(step)) == bound
    graph = tf.function(schedule)
    assert graph(tf.constant(step, tf.int64)).dtype == tf.float32
    assert float(graph(tf.constant(step, tf.int64))) == bound


def drops_by_counting(every: float, factor: float, floor: float, rule: str) -> list[float]:
    """Return the rate of every step of `RUN`, multiplied when an epoch ends that `every` divides."""
    rate, found = 0.4, []
    for step in STEPS:
        if step and step % (every * 10) == 0:
            lower = rate * factor
            if lower >= floor * (1 - 1e-12):
                rate = lower
            elif rule == "clip":
                rate = floor
        found.append(rate)
    return found


@pytest.mark.parametrize("rule", ["clip", "skip"])
@pytest.mark.parametrize("floor", [0.0, 1e-9, 0.004, 0.03, 0.4, 1.0])
@pytest.mark.parametrize(("every", "factor"), [(1, 0.1), (3, 0.5), (0.5, 0.9)])
def test_a_rate_drops_every_few_epochs_down_to_a_floor(
    every: float, factor: float, floor: float, rule: str
) -> None:
    options = {"every": every, "factor": factor, "floor": floor, "floor_rule": rule}
    options = options if floor else {"every": every, "factor": factor}
    expected = drops_by_counting(every, factor, min(floor, 0.4), rule)
    assert rates("step", options=options) == pytest.approx(expected)


def test_keras_gets_the_drops_of_the_definition() -> None:
    run = {**RUN, "warmup_epochs": 3, "warmup_from": 0.0, "warmup_shape": "staircase"}
    options = {"every": 2.5, "factor": 0.1, "floor": 1e-3}
    for rule in ("clip", "skip"):
        course = Course("step", **run, options={**options, "floor_rule": rule})
        found = build_schedule(course)(tf.constant(STEPS, tf.int64))
        assert found.numpy() == pytest.approx(learning_rate_at(STEPS, course), rel=1e-6)


def test_periods_that_are_no_whole_steps_drop_at_the_nearest_step() -> None:
    found = rates("step", options={"every": 0.25, "factor": 0.5})  # 2.5 steps: 3, 5, 8, 10
    assert np.flatnonzero(np.diff(found))[:4].tolist() == [2, 4, 7, 9]


def test_a_staircase_rises_at_the_start_of_each_epoch() -> None:
    stairs = {"warmup_epochs": 4, "warmup_from": 0.1, "warmup_shape": "staircase"}
    expected = np.repeat([0.1, 0.175, 0.25, 0.325, 0.4], 10)
    assert rates("constant", STEPS[:50], **stairs) == pytest.approx(expected)


def test_a_warm_up_from_zero_needs_no_second_rank() -> None:
    found = rates("constant", warmup_epochs=2, warmup_from=0.0)
    assert found[:21] == pytest.approx(np.arange(21) / 20 * 0.4)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_rate_does_not_depend_on_where_the_run_was_interrupted(name: str) -> None:
    """Steps are asked one by one, from any on, in any order: there is no memory."""
    course = Course(name, **RUN, warmup_epochs=2, warmup_from=0.0, warmup_shape="staircase")
    whole = learning_rate_at(STEPS, course)
    for step in reversed(STEPS):
        assert float(learning_rate_at(step, course)) == pytest.approx(whole[step], rel=1e-14)


def test_steps_that_float32_does_not_know_are_told_apart() -> None:
    first = 2**24 + 1
    milestone = {"milestones": (float(first),), "factor": 0.5}
    schedule = build_schedule(Course("step", 1.0, 1, epochs=2**25, options=milestone))
    counter = keras.Variable(first - 1, dtype="int64", trainable=False)
    assert float(schedule(counter)) == 1
    counter.assign_add(1)
    assert float(schedule(counter)) == 0.5


def test_the_shape_needs_the_length_where_another_length_changes_it() -> None:
    changes = {name: not np.array_equal(rates(name), rates(name, epochs=20)) for name in SCHEDULES}
    assert changes == {name: needs_length(name) for name in SCHEDULES}


def test_a_warm_up_as_long_as_the_training_is_all_there_is() -> None:
    for name in SCHEDULES:
        found = rates(name, STEPS[:100], warmup_epochs=10, scaling="linear", ranks=2)
        if name != "step":
            assert found == pytest.approx(0.4 + 0.4 * STEPS[:100] / 100)


@pytest.mark.parametrize("jit", [False, True])
def test_fit_follows_schedule_and_factor(jit: bool) -> None:
    """One weight whose gradient is 1 moves by the learning rate of each step."""
    run = {"learning_rate": 0.5, "steps_per_epoch": 3, "epochs": 4, "warmup_epochs": 1}
    course = Course("plateau", **run, scaling="linear", ranks=2)
    schedule = build_schedule(course)
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((1,)), layer])
    # The loss is the prediction, so the gradient of the weight is the input, 1.
    optimizer = build_optimizer("sgd", schedule)
    model.compile(optimizer, lambda y_true, y_pred: y_pred, jit_compile=jit)
    factors, places = [1.0, 0.5, 0.125, 1.0], [0.0]

    class EachEpoch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            schedule.set_factor(factors[epoch])

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            places.append(float(layer.kernel.numpy().item()))

    ones = np.ones((3, 1), "float32")
    model.fit(ones, ones, batch_size=1, epochs=4, shuffle=False, verbose=0, callbacks=[EachEpoch()])
    expected = learning_rate_at(np.arange(12), course) * np.repeat(factors, 3)
    assert -np.diff(places) == pytest.approx(expected, rel=1e-5)
    assert "plateau_factor" not in [variable.name for variable in optimizer.variables]


def test_micro_batches_are_what_accumulation_counts() -> None:
    schedule = build_schedule(Course("polynomial", 1.0, steps_per_epoch=4, epochs=1))
    optimizer = build_optimizer("sgd", schedule, gradient_accumulation_steps=2)
    weight = keras.Variable([0.0])
    optimizer.build([weight])
    for _ in range(4):
        optimizer.apply([keras.ops.ones((1,))])
    # Updates are taken in the micro-batches 1 and 3, at the rates of those.
    assert float(weight[0]) == pytest.approx(-(0.75 + 0.25))


def test_an_optimizer_with_a_schedule_can_be_stored() -> None:
    for name in SCHEDULES:
        options = {"milestones": [3]} if name == "step" else {}
        schedule = build_schedule(Course(name, **RUN, options=options))
        optimizer = build_optimizer("adam", schedule)
        stored = keras.saving.serialize_keras_object(optimizer)
        loaded = keras.saving.deserialize_keras_object(stored).learning_rate
        assert float(loaded) == float(optimizer.learning_rate)
        assert type(schedule).from_config(schedule.get_config()).course == schedule.course


def test_float64_training_gets_float64_rates() -> None:
    keras.config.set_floatx("float64")
    try:
        found = build_schedule(Course("cosine", **RUN))(33)
    finally:
        keras.config.set_floatx("float32")
    assert found.dtype == "float64"
    assert float(found) == pytest.approx(float(rates("cosine", 33)), rel=1e-14)


def test_options_are_documented_and_read_from_texts() -> None:
    assert SCHEDULES.parse("step", ["milestones=30,60", "factor=0.2"]) == {
        "milestones": (30.0, 60.0),
        "factor": 0.2,
    }
    for name in SCHEDULES:
        for option in SCHEDULES.options(name).values():
            assert option.help, (name, option.name)
            SCHEDULES.check(name, **{option.name: option.default})
            if not isinstance(option.default, tuple) and option.default is not None:
                assert parse_value(str(option.default), option) == option.default


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cosin", {}, r"Unknown schedule. Received: 'cosin'. Expected one of: constant, step"),
        ("constant", {"factor": 0.5}, r"'factor'. Expected: none, it has no options"),
        ("cosine", {"final_factor": 2}, r"final_factor=2.0 .* Expected: at least 0, at most 1"),
        ("step", {"factor": 1}, r"factor=1.0 for schedule step. Expected: above 0, below 1"),
        ("step", {"milestones": [30, 20]}, r"Expected: increasing epochs above 0"),
        ("step", {"milestones": []}, r"Expected: increasing epochs above 0"),
        ("step", {"milestones": [math.nan]}, r"Expected: increasing epochs above 0"),
        ("step", {"milestones": [3], "every": 2}, r"every=2.0 with milestones=\(3.0,\)"),
        ("step", {"floor_rule": "skip"}, r"floor_rule=skip for schedule step, without floor"),
        ("step", {"floor": 1e-5, "floor_rule": "stop"}, r"Expected one of: clip, skip"),
        ("plateau", {"monitor_mode": "max"}, r"monitor_mode=max .*, without monitor"),
        ("step", {"milestones": 30}, r"milestones=30. Expected: a list of numbers"),
        ("polynomial", {"power": 0}, r"power=0.0 for schedule polynomial. Expected: above 0"),
        ("plateau", {"patience": 0}, r"patience=0 for schedule plateau. Expected: at least 1"),
    ],
)
def test_options_that_cannot_be_right_are_refused(
    name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        SCHEDULES.check(name, **options)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.0}, r"learning_rate=0.0 for schedule cosine. Expected: above 0"),
        ({"warmup_epochs": -1}, r"warmup_epochs=-1"),
        ({"epochs": 0}, r"epochs=0"),
        ({"steps_per_epoch": 0}, r"steps_per_epoch=0"),
        ({"scaling": "cubic"}, r"Expected one of: linear, sqrt, none"),
        ({"ranks": 0}, r"ranks=0"),
        ({"warmup_shape": "log"}, r"Expected one of: linear, staircase"),
        ({"warmup_from": -1.0}, r"warmup_from=-1.0"),
    ],
)
def test_runs_that_cannot_be_right_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Course("cosine", **{**RUN, **settings})
