"""Adam in one operation gives what Keras's Adam gives; test_numbers.py holds it over ranks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddl.distributed.keras_patches import fused_adam

KERAS_UPDATE = getattr(
    keras.optimizers.Adam.update_step, "__wrapped__", keras.optimizers.Adam.update_step
)
STEPS = 12


@pytest.fixture(autouse=True)
def _installed() -> None:
    fused_adam.install()


def learned(optimizer: Any, update: Callable[..., None], dtype: str) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    weights = [keras.Variable(rng.normal(size=shape), dtype=dtype) for shape in ((37, 5), (3,))]
    rows = tf.constant(rng.integers(0, 37, (STEPS, 4)))
    gradients = [
        [tf.constant(rng.normal(size=one.shape), dtype) for one in weights] for _ in range(STEPS)
    ]
    optimizer.build(weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.optimizers.Adam, "update_step", update)
        for number in range(STEPS):
            first, second = gradients[number]
            if number % 3 == 2:  # as an embedding has it
                taken = rows[number]
                first = tf.IndexedSlices(tf.gather(first, taken), taken, tf.constant([37, 5]))
            optimizer.apply([first, second], weights)
    return [np.asarray(one, np.float64) for one in (*weights, *optimizer.variables)]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("Adam", {}),
        ("Adam", {"beta_2": 0.5, "epsilon": 1e-3}),
        ("Adam", {"beta_1": 0.999, "clipnorm": 1.0}),
        ("Adam", {"amsgrad": True}),
        ("Adam", {"use_ema": True, "gradient_accumulation_steps": 2}),
        ("AdamW", {"weight_decay": 0.1}),
        ("Adam", {"learning_rate": keras.optimizers.schedules.ExponentialDecay(1e-2, 3, 0.5)}),
    ],
)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-6), ("float64", 1e-13)])
def test_as_keras(kind: str, options: dict[str, Any], dtype: str, tolerance: float) -> None:
    ours, theirs = (
        learned(getattr(keras.optimizers, kind)(**options), update, dtype)
        for update in (keras.optimizers.Adam.update_step, KERAS_UPDATE)
    )
    for left, right in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(left, right, rtol=0, atol=tolerance * (abs(right).max() or 1))


@pytest.mark.parametrize(
    ("options", "dtype", "fits"),
    [
        ({}, "float32", True),
        ({"beta_1": 0.99}, "float64", True),
        ({"beta_1": 0.99}, "float32", False),
        ({"amsgrad": True}, "float32", False),
        ({"beta_1": tf.constant(0.9)}, "float32", False),
        ({"beta_2": tf.Variable(0.999)}, "float32", False),
        ({}, "bfloat16", False),
    ],
)
def test_takes_one_operation_where_it_fits(options: Any, dtype: str, fits: bool) -> None:
    weights = [keras.Variable(np.ones(3), dtype=dtype)]
    optimizer = keras.optimizers.Adam(**options)
    assert kinds_in_a_step(optimizer, weights).count("ResourceApplyAdam") == fits


def test_the_optimizer_within_a_loss_scale_takes_it_too() -> None:
    weights = [keras.Variable(np.ones(3)), keras.Variable(np.ones((2, 2)))]
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.AdamW(1e-3))
    graph = kinds_in_a_step(optimizer, weights)
    assert graph.count("ResourceApplyAdam") == len(weights)


def kinds_in_a_step(optimizer: Any, weights: list[Any]) -> list[str]:
    """Return the kinds of operations of a step as TensorFlow's graph has them, those of its branches among them."""
    optimizer.build(weights)

    @tf.function  # type: ignore[untyped-decorator]
    def step() -> None:
        optimizer.apply([tf.ones_like(one.value) for one in weights], weights)

    step()
    graph = step.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(node for one in graph.library.function for node in one.node_def)]
    return [node.op for node in nodes]


def test_loss_that_is_no_number_is_not_hidden() -> None:
    weights = [keras.Variable(np.ones(3))]
    optimizer = keras.optimizers.Adam()
    optimizer.build(weights)
    optimizer.apply([tf.constant([1.0, np.inf, np.nan])], weights)
    optimizer.apply([tf.ones(3)], weights)
    assert np.isfinite(np.asarray(weights[0])).tolist() == [True, False, False]
