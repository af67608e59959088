"""Weights of classes in the training loss: what a plan may say, and what "balanced" means."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddl.data.inputs_and_targets import ArraySamples
from ddl.data.source import Source
from ddl.training.data.class_weights import class_weights, count_labels
from ddl.training.objectives.losses import build_loss
from ddl.training.plan.plan import Plan
from ddl.training.steps.weighed_batches import for_outputs, sample_weights

LABELS = np.array([0] * 6 + [1] * 2 + [3] * 4 + [255])
FACES = {"data": "faces", "model": "resnet20", "loss": "categorical_crossentropy", "metric": ()}


class Unlisted(Source):
    """Labels that have to be read."""

    fields = ArraySamples(np.zeros((13, 1)), LABELS).fields

    def __len__(self) -> int:
        return 13

    def read(self, indices):
        return {"inputs": np.zeros((len(indices), 1)), "targets": LABELS[indices]}


@pytest.mark.parametrize("samples", [ArraySamples(np.zeros((13, 1)), LABELS), Unlisted()])
def test_labels_are_counted_but_for_those_that_are_no_classes(samples: Source) -> None:
    assert count_labels(samples, 4, 0, 13).tolist() == [6, 2, 0, 4]
    parts = [count_labels(samples, 4, *bounds) for bounds in ((0, 7), (7, 13))]
    assert sum(parts).tolist() == [6, 2, 0, 4]


def test_balanced_classes_have_the_same_share_and_samples_a_mean_weight_of_1() -> None:
    counts = np.array([6, 2, 0, 4])
    weights = class_weights("balanced", counts)
    assert weights is not None
    assert (weights * counts)[[0, 1, 3]] == pytest.approx([4, 4, 4])
    assert weights[2] == 1


def test_a_class_without_a_number_weighs_1() -> None:
    weights = class_weights("0=2,2=0", np.zeros(4))
    assert weights is not None
    assert weights.tolist() == [2, 1, 0, 1]
    assert class_weights("none", np.zeros(4)) is None


def test_a_plan_takes_the_mapping_of_keras(tmp_path: Path) -> None:
    plan = Plan(run_dir=tmp_path, class_weight={0: 1, 1: 3.5}, **FACES)
    assert plan.class_weight == "0=1,1=3.5"
    assert Plan(**plan.to_dict()) == plan


def test_weights_are_those_that_keras_gives_samples() -> None:
    weights = np.array([2.0, 1.0, 0.5])
    labels = np.array([0, 2, 1, 255, -1])
    assert sample_weights(tf.constant(labels), weights).numpy().tolist() == [2, 0.5, 1, 1, 1]
    shares = np.array([[0.25, 0.75, 0], [0, 0, 1]], np.float32)
    assert sample_weights(tf.constant(shares), weights).numpy().tolist() == [1.25, 0.5]


def test_the_weighted_loss_is_that_of_keras() -> None:
    inputs = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    labels, weights = np.arange(9) % 3, {0: 2.0, 1: 1.0, 2: 0.25}

    def trained(loss: object, **given: object) -> list[np.ndarray]:
        keras.utils.set_random_seed(2)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
        model.compile("sgd", loss)
        data = tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(9)
        if not given:
            weighed = for_outputs(model, data, np.array([*weights.values()]))
            model.fit(weighed, shuffle=False, verbose=0)
        else:
            model.fit(inputs, labels, batch_size=9, shuffle=False, verbose=0, **given)
        return model.get_weights()

    ours = trained(build_loss("categorical_crossentropy"))
    keras_own = trained("sparse_categorical_crossentropy", class_weight=weights)
    for mine, theirs in zip(ours, keras_own, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
