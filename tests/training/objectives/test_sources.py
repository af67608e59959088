"""What a network ends in decides what its loss and metrics take its output for; a contradiction is refused."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddl.data.activation import activated
from ddl.data.preprocessing import ACTIVATIONS
from ddl.training.objectives.losses import LOSSES, build_loss, loss_of_probabilities
from ddl.training.objectives.metrics import build_metric
from ddl.training.objectives.network_end import find_ending, settle_loss
from ddl.training.objectives.predictions import log_probabilities, probabilities
from ddl.training.objectives.sources import UNKNOWN, settle_source

Array = np.ndarray[Any, Any]
WITH_SOURCE = [name for name in LOSSES if "source" in LOSSES.options(name)]
layers = keras.layers


@pytest.mark.parametrize(
    ("ending", "channels", "source", "activation"),
    [
        ("softmax", 3, "softmax", "none"),
        ("sigmoid", 1, "sigmoid", "none"),
        ("hard_sigmoid", 1, "sigmoid", "none"),
        ("log_softmax", 3, "log_softmax", "exp"),
        ("linear", 3, "logits", "softmax"),
        ("linear", 1, "logits", "sigmoid"),
        ("relu", 3, "probability", "none"),
        (UNKNOWN, 3, "probability", "none"),
    ],
)
def test_auto_reads_the_source_off_the_network(
    ending: str, channels: int, source: str, activation: str
) -> None:
    settled = settle_source("dice", "auto", ending, channels)
    assert (settled.source, settled.activation) == (source, activation)
    assert bool(settled.note) == (source in ("logits", "probability"))
    given = settle_source("dice", source, ending, channels)
    assert (given.source, given.activation, given.note) == (source, activation, "")


def test_logits_of_a_binary_loss_are_of_separate_channels() -> None:
    assert settle_source("binary_crossentropy", "auto", "linear", 3).activation == "sigmoid"


def test_nll_says_that_it_takes_the_logarithm() -> None:
    settled = settle_source("nll", "auto", "softmax", 3)
    assert settled.note == "Loss nll takes the logarithm of the network's softmax output."
    assert settle_source("nll", "auto", "log_softmax", 3).note == ""


def test_a_loss_without_the_option_only_knows_logarithms() -> None:
    assert settle_source("mse", None, "linear", 1).activation == "none"
    assert settle_source("mine", None, "log_softmax", 2).activation == "exp"


@pytest.mark.parametrize(
    ("given", "ending", "remedy"),
    [
        ("softmax", "log_softmax", "source=log_softmax"),
        ("log_softmax", "softmax", "source=softmax"),
        ("sigmoid", "linear", "source=logits"),
        ("logits", "sigmoid", "source=sigmoid"),
        ("probability", "log_softmax", "source=log_softmax"),
        ("softmax", "relu", "source=probability"),
    ],
)
def test_a_contradiction_is_refused(given: str, ending: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=f"source={given} of loss dice.* Expected: {remedy}, or"):
        settle_source("dice", given, ending, 3)


@pytest.mark.parametrize("ending", ["softmax", "log_softmax"])
def test_a_softmax_over_one_channel_is_refused(ending: str) -> None:
    with pytest.raises(ValueError, match=f"ends in {ending} over one channel, which is always"):
        settle_source("dice", "auto", ending, 1)


def end(*tail: Any) -> tuple[str, str]:
    x = inputs = keras.Input((4, 4, 2))
    for layer in tail:
        x = layer(x)
    return find_ending(keras.Model(inputs, x).outputs[0])


def test_the_ending_is_the_last_activation() -> None:
    inner = keras.Sequential([keras.Input((4, 4, 2)), layers.Conv2D(2, 1, activation="softmax")])
    for expected, tail in (
        ("sigmoid", [layers.Conv2D(1, 1, activation="sigmoid")]),
        ("linear", [layers.Conv2D(1, 1, name="head")]),
        ("softmax", [layers.Conv2D(3, 1), layers.Softmax()]),
        ("log_softmax", [layers.Conv2D(3, 1), layers.Activation("log_softmax")]),
        ("softmax", [layers.Dense(2, activation="softmax"), layers.Reshape((8, 2, 2))]),
        ("softmax", [layers.Dense(2), layers.Activation("softmax"), layers.Activation("linear")]),
        ("softmax", [inner, layers.UpSampling2D()]),
        ("relu", [layers.Conv2D(1, 1), layers.ReLU()]),
        ("linear", [layers.Conv2D(1, 1), layers.BatchNormalization()]),
        (UNKNOWN, [layers.GlobalAveragePooling2D()]),
        ("sigmoid", [layers.Dense(2), keras.ops.sigmoid]),
        ("log_softmax", [layers.Dense(2), keras.ops.log_softmax]),
    ):
        assert end(*tail)[0] == expected, expected
    assert end(layers.Conv2D(1, 1, name="tail"))[1] == "tail"


def test_each_output_of_a_model_is_settled_for_itself() -> None:
    inputs = keras.Input((3,))
    outputs = [layers.Dense(2, activation=name)(inputs) for name in ("softmax", "log_softmax")]
    model = keras.Model(inputs, outputs)
    known = LOSSES.options("nll")
    sources = [settle_loss(model, "nll", {}, known, number).source for number in (0, 1)]
    assert sources == ["softmax", "log_softmax"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_numpy_and_keras_make_the_same_probabilities(activation: str) -> None:
    values = np.random.default_rng(0).normal(0, 30, (5, 3)).astype("float32")
    values = np.minimum(values, 0) if activation == "exp" else values
    if activation == "none":
        values = np.exp(values - values.max())
    expected = activated(values, activation)
    assert expected.dtype == np.float32
    np.testing.assert_allclose(expected, probabilities(values, activation), rtol=1e-5, atol=1e-7)
    logs = np.asarray(log_probabilities(values, activation))
    assert np.isfinite(logs).all()
    np.testing.assert_allclose(np.exp(logs), expected, rtol=1e-4, atol=1.1e-7)


@pytest.mark.parametrize("name", WITH_SOURCE)
@pytest.mark.filterwarnings("ignore:Received. loss 'batch_dice'")
def test_a_loss_is_the_same_of_every_source(name: str) -> None:
    random = np.random.default_rng(1)
    channels = 1 if name == "binary_crossentropy" else 3
    truth = random.integers(0, max(channels, 2), (2, 4, 5, 1))
    logits = random.normal(size=(2, 4, 5, channels)).astype("float32")
    found = activated(logits, "sigmoid" if channels == 1 else "softmax")
    expected = float(build_loss(name)(truth, found))
    assert float(build_loss(name, source="logits")(truth, logits)) == pytest.approx(expected, 1e-5)
    logs = build_loss(name, source="log_softmax")(truth, np.log(found))
    assert float(logs) == pytest.approx(expected, rel=1e-5)
    stored = loss_of_probabilities(name, source="log_softmax")
    assert float(stored(truth, found)) == pytest.approx(expected, rel=1e-6)


def test_nll_of_logarithms_does_not_round_to_the_least_probability() -> None:
    logs = np.asarray([[-300.0, 0.0]], "float32")
    assert float(build_loss("nll", source="log_softmax")(np.asarray([0]), logs)) == 300
    assert float(build_loss("nll", source="logits")(np.asarray([0]), logs)) == 300
    assert float(build_loss("nll")(np.asarray([0]), np.exp(logs))) == pytest.approx(-np.log(1e-7))


@pytest.mark.parametrize("name", ["dice", "iou", "top_1", "precision", "hausdorff_95"])
def test_metrics_see_probabilities(name: str) -> None:
    """One channel is decided at 0.5: logits at 0."""
    random = np.random.default_rng(2)
    truth = random.integers(0, 2, (3, 5, 5, 1)).astype("float32")
    logits = random.normal(size=(3, 5, 5, 1)).astype("float32")
    plain, wrapped = build_metric(name), build_metric(name, "sigmoid")
    plain.update_state(truth, activated(logits, "sigmoid"))
    wrapped.update_state(truth, tf.cast(logits, "bfloat16") if name == "top_1" else logits)
    assert float(wrapped.result()) == pytest.approx(float(plain.result()))
    assert [v.path for v in wrapped.variables] == [v.path for v in plain.variables]


def test_dice_over_all_classes_counts_the_background() -> None:
    random = np.random.default_rng(3)
    truth, found = random.integers(0, 3, (2, 4, 4, 1)), random.uniform(size=(2, 4, 4, 3))
    each = []
    for t, p in zip(truth[..., 0], found.argmax(-1), strict=True):
        each.append(
            [2 * ((t == c) & (p == c)).sum() / ((t == c).sum() + (p == c).sum()) for c in range(3)]
        )
    for background, expected in ((True, np.mean(each)), (False, np.mean(np.asarray(each)[:, 1:]))):
        metric = build_metric("dice", background=background)
        metric.update_state(truth, found)
        assert float(metric.result()) == pytest.approx(expected)
        assert metric.get_config()["background"] is background
