"""Gradients of losses against finite differences, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ddl.data.activation import activated
from ddl.training.objectives.losses import build_loss

STEP = 1e-6


@pytest.mark.parametrize(
    ("name", "options", "channels"),
    [
        ("nll", {"weight": (1.0, 0.25, 2.0), "ignore_index": 9, "source": "logits"}, 3),
        ("nll", {"source": "log_softmax"}, 3),
        ("lovasz", {"ignore_index": 9}, 3),
        ("lovasz", {"source": "logits"}, 1),
        ("dice", {"smooth": 1e-7, "source": "log_softmax"}, 3),
        ("jaccard", {"smooth": 1e-7}, 1),
        ("mse", {}, 1),
        ("wasserstein", {}, 1),
        ("binary_crossentropy", {"source": "logits"}, 1),
        ("focal", {"source": "softmax"}, 3),
    ],
)
def test_a_gradient_is_that_of_finite_differences(
    name: str, options: dict[str, Any], channels: int
) -> None:
    random = np.random.default_rng(4)
    truth = random.integers(0, max(channels, 2), (2, 3, 2, 1)).astype("float64")
    if "ignore_index" in options:
        truth[0, 0, 0] = 9
    logits = random.normal(size=(2, 3, 2, channels))
    found = activated(logits, "softmax" if channels > 1 else "sigmoid")
    source = options.get("source")
    values = {"logits": logits, "log_softmax": np.log(found)}.get(source, found)

    def loss(outputs: Any) -> Any:  # without Keras's cast to float32
        return tf.reduce_mean(build_loss(name, **options).call(tf.constant(truth), outputs))

    outputs = tf.Variable(values)
    with tf.GradientTape() as tape:
        value = loss(outputs)
    gradient = np.ravel(tape.gradient(value, outputs))
    places = random.permutation(values.size)[:4]
    for place in places:
        sides = []
        for step in (STEP, -STEP):
            moved = values.copy()
            moved.flat[place] += step
            sides.append(float(loss(tf.constant(moved))))
        assert gradient[place] == pytest.approx(
            (sides[0] - sides[1]) / (2 * STEP), rel=1e-5, abs=1e-8
        )


def test_targets_between_0_and_1_have_a_binary_loss_whose_least_value_is_at_them() -> None:
    values = np.random.default_rng(5).uniform(0.1, 0.9, (2, 3, 3, 3))
    outputs = tf.Variable(values)
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(build_loss("binary_crossentropy").call(tf.constant(values), outputs))
    expected = -(values * np.log(values) + (1 - values) * np.log(1 - values)).mean()
    assert float(value) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(tape.gradient(value, outputs), 0, atol=1e-12)


def test_lovasz_at_whole_masks_is_one_minus_iou() -> None:
    random = np.random.default_rng(6)
    truth, mask = (random.integers(0, 2, (3, 4, 4, 1)).astype("float64") for _ in range(2))
    iou = (truth * mask).sum((1, 2, 3)) / np.maximum(truth, mask).sum((1, 2, 3))
    values = build_loss("lovasz").call(tf.constant(truth), tf.constant(mask))
    np.testing.assert_allclose(values, 1 - iou, rtol=1e-12)
    empty = build_loss("lovasz").call(tf.zeros((1, 4, 4, 1)), tf.fill((1, 4, 4, 1), 0.25))
    assert float(empty[0]) == 0.25  # false positives of an empty mask count
