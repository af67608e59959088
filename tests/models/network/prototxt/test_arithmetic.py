"""Activations, errors and one update of every layer type equal those of a NumPy re-implementation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddl.models.network.build import build_nodes
from ddl.models.network.prototxt import read_neuralnet
from ddl.training.objectives.losses import build_loss
from tests.models.network.prototxt.keras_side import (
    assert_same_weights,
    channels_last,
    keras_model,
    names_of,
    output_of,
)
from tests.models.network.prototxt.reference import Array, Reference, text_of

LOSS = ("loss", "softmax")


def window(kernel: Any, pad: Any = 0, stride: Any = 1) -> tuple[tuple[int, int], ...]:
    return tuple((one, one) if isinstance(one, int) else one for one in (kernel, pad, stride))


NETS: dict[str, tuple[str, tuple[int, ...], Any]] = {
    "document": ("A", (28, 28), [("fc", 50), ("act", "sigmoid"), ("fc", 10), ("loss", "sigmoid")]),
    "A functions": (
        "A",
        (7,),
        [
            *(("fc", 6), ("act", "relu"), ("fc", 5), ("act", "abs"), ("fc", 5), ("act", "pow")),
            *(("fc", 4), ("act", "tanh"), ("fc", 4), ("act", "identity"), ("fc", 3), LOSS),
        ],
    ),
    "B": ("B", (28, 28), [("fc", 50), ("act", "relu"), ("fc", 10), LOSS]),
    "C plain": ("C", (28, 28), [("fc", 50), ("act", "relu"), ("fc", 10), LOSS]),
    "C convolution": (
        "C",
        (2, 7, 6),
        [
            ("conv", 3, *window((3, 2), (1, 0), (2, 3))),
            ("act", "relu"),
            ("fc", 4),
            ("loss", "sigmoid"),
        ],
    ),
    "C pooling": (
        "C",
        (3, 8, 9),
        [
            ("pool", "MAX", *window(3, 1, 2)),
            ("pool", "AVERAGE", *window((3, 2), (1, 1), 2)),
            ("fc", 4),
            LOSS,
        ],
    ),
    "dropped windows": (
        "C",
        (1, 5, 7),
        [("pool", "MAX", *window(1, 0, 3)), ("pool", "AVERAGE", *window(2, 1, 3)), ("fc", 3), LOSS],
    ),
    "convolution beyond": (
        "D",
        (1, 5, 5),
        [("conv", 2, *window(1, 0, 3)), ("fc", 3), LOSS],
    ),
    "D convolution, unflattened": (
        "D",
        (3, 5, 5),
        [("conv", 4, *window(3, 1, 1)), ("act", "tanh"), ("conv", 2, *window(2, 0, 2)), LOSS],
    ),
    "LRN": (
        "D",
        (6, 4, 3),
        [
            ("lrn", 5, 0.7, 0.75, 1.5),
            ("conv", 4, *window(2)),
            ("lrn", 3, 2.0, 0.5, 1.0),
            ("fc", 3),
            ("loss", "sigmoid"),
        ],
    ),
    "sample_dnn": (
        "D",
        (1, 28, 28),
        [
            ("conv", 4, *window(5, 2)),
            ("act", "relu"),
            ("pool", "MAX", *window(3, 0, 2)),
            ("fc", 16),
            ("act", "relu"),
            ("fc", 10),
            LOSS,
        ],
    ),
}
"""Name -> dialect, shape of the input, layers."""


@pytest.fixture(autouse=True)
def _float64() -> Iterator[None]:
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


def batch(shape: tuple[int, ...], classes: int, count: int = 3) -> tuple[Array, Array]:
    random = np.random.default_rng(5)
    shape = (1, *shape) if len(shape) == 2 else shape
    x = random.normal(size=(count, *shape))
    x.flat[::7] = 0  # derivatives at 0
    return x, random.integers(0, classes, count)


@pytest.mark.parametrize("name", NETS)
def test_equal_to_numpy(name: str) -> None:
    dialect, shape, spec = NETS[name]
    net = read_neuralnet(text_of(shape, spec, dialect), "net.prototxt")
    assert (net.dialect, net.input_shape) == (dialect, shape)
    reference = Reference(shape, spec, dialect)
    model = keras_model(net, reference)
    x, labels = batch(shape, model.output_shape[-1])
    names = names_of(spec, dialect)
    seen = keras.Model(model.input, [output_of(model, one) for one in names])
    loss = build_loss(net.loss, **net.loss_option)
    with tf.GradientTape() as tape:
        inputs = tf.constant(channels_last(x))
        tape.watch(inputs)  # for layers before the first weights
        made = seen(inputs)
        value = loss(labels, made[-1])
    expected = reference.forward(x)
    for one, found, wanted in zip(names, made, expected, strict=True):
        np.testing.assert_allclose(found, channels_last(wanted), atol=1e-6, rtol=0, err_msg=one)
    errors = reference.backward(expected[-1], labels)
    found_errors = tape.gradient(value, made[:-1])
    for one, found, wanted in zip(names[:-1], found_errors, errors, strict=True):
        np.testing.assert_allclose(
            found * len(x), channels_last(wanted), atol=1e-6, rtol=0, err_msg=one
        )
    model.compile(keras.optimizers.SGD(0.1), loss, jit_compile=False)
    model.train_on_batch(channels_last(x), labels)
    reference.step(x, labels, 0.1)
    assert_same_weights(model, reference, 1e-6)


def test_the_derivative_of_relu_at_0_is_1() -> None:
    spec = [("act", "relu"), ("fc", 2), LOSS]
    net = read_neuralnet(text_of((3,), spec, "C"), "net.prototxt")
    model = build_nodes(net.network)
    x = tf.zeros((1, 3), "float64")
    with tf.GradientTape() as tape:
        tape.watch(x)
        made = keras.Model(model.input, model.get_layer("activation_1").output)(x)
    np.testing.assert_array_equal(tape.gradient(made, x), 1)


@pytest.mark.parametrize("ending", ["softmax", "sigmoid"])
def test_a_network_that_is_sure_and_wrong_learns(ending: str) -> None:
    spec = [("fc", 2), ("loss", ending)]
    net = read_neuralnet(text_of((1,), spec, "C"), "net.prototxt")
    model = build_nodes(net.network)
    model.set_weights([np.array([[1000.0, -1000.0]]), np.zeros(2)])
    model.compile(keras.optimizers.SGD(1.0), build_loss(net.loss, **net.loss_option))
    model.train_on_batch(np.ones((1, 1)), np.array([1]))
    np.testing.assert_allclose(model.weights[1].numpy(), [-1, 1])  # minus (output minus target)


SIZES = [(28, 3, 2, 14), (32, 3, 2, 16), (224, 11, 4, 55)]


@pytest.mark.parametrize(("side", "kernel", "stride", "expected"), SIZES)
def test_sizes_are_rounded_up(side: int, kernel: int, stride: int, expected: int) -> None:
    for kind, head in (("conv", 2), ("pool", "MAX"), ("pool", "AVERAGE")):
        spec = [(kind, head, *window(kernel, 0, stride)), ("fc", 2), LOSS]
        net = read_neuralnet(text_of((1, side, side), spec, "D"), "net.prototxt")
        shape = keras.Model(
            (model := build_nodes(net.network)).input,
            model.get_layer(names_of(spec, "D")[0]).output,
        ).output_shape
        assert shape[1:3] == (expected, expected)


ALEXNET = [
    *(("conv", 96, *window(11, 0, 4)), ("act", "relu"), ("lrn", 5, 1e-4, 0.75, 1.0)),
    *(("pool", "MAX", *window(3, 0, 2)), ("conv", 256, *window(5, 2)), ("act", "relu")),
    *(("lrn", 5, 1e-4, 0.75, 1.0), ("pool", "MAX", *window(3, 0, 2))),
    *(("conv", 384, *window(3, 1)), ("conv", 384, *window(3, 1)), ("conv", 256, *window(3, 1))),
    *(("pool", "MAX", *window(3, 0, 2)), ("fc", 4096), ("fc", 4096), ("fc", 1000), LOSS),
]
CIFAR = [
    *(("conv", 32, *window(5, 2)), ("pool", "MAX", *window(3, 0, 2)), ("act", "relu")),
    *(("conv", 32, *window(5, 2)), ("act", "relu"), ("pool", "AVERAGE", *window(3, 0, 2))),
    *(("conv", 64, *window(5, 2)), ("act", "relu"), ("pool", "AVERAGE", *window(3, 0, 2))),
    *(("fc", 64), ("fc", 10), LOSS),
]


def test_large_networks_have_their_sizes() -> None:
    from ddl.models.network.inference import infer

    for shape, spec, expected in (
        (
            (3, 224, 224),
            ALEXNET,
            {"convolutional_1": 55, "pooling_4": 27, "pooling_8": 13, "pooling_12": 6},
        ),
        ((3, 32, 32), CIFAR, {"pooling_2": 16, "pooling_6": 8, "pooling_9": 4}),
    ):
        lines = ["step_size: 0.1", "batch_size: 1", f"input_shape {{ dim: {list(shape)} }}"]
        lines += (
            text_of((3, 32, 32), spec, "D").splitlines()[3:] if spec is CIFAR else _layers(spec)
        )
        net = read_neuralnet("\n".join(lines), "net.prototxt")
        shapes = {layer.node.name: layer.shape for layer in infer(net.network)}
        for name, side in expected.items():
            assert shapes[name][:2] == (side, side), name
        assert list(shapes.values())[-1] == (1000 if spec is ALEXNET else 10,)


def _layers(spec: Any) -> list[str]:
    """Return the layers of a large network without weights of NumPy, which are slow to draw."""
    found = []
    for kind, *rest in spec:
        if kind == "fc":
            text = f'"FullyConnected" fully_connected_param {{ init_weight: 1 init_bias: 0 num_output: {rest[0]} }}'
            found.append(f"layer {{ type: {text} }}")
        else:
            sizes = (9, 64, 64)
            one = [(kind, *rest)] if kind == "loss" else [(kind, *rest), LOSS]
            small = text_of(sizes, [("act", "relu"), *one], "D").splitlines()
            found.append(small[-1] if kind == "loss" else small[-2])
    return found


def test_initial_values_are_normal_with_equal_biases() -> None:
    net = read_neuralnet(text_of((900,), [("fc", 90), LOSS], "C"), "net.prototxt")
    kernel, bias = build_nodes(net.network).get_weights()
    assert kernel.std() == pytest.approx(0.1, rel=0.02)
    assert abs(kernel.mean()) < 0.1 / math.sqrt(kernel.size) * 5
    np.testing.assert_allclose(bias, 0.2)


def test_the_seed_of_a_layer_gives_the_same_weights() -> None:
    text = text_of((9,), [("fc", 4), LOSS], "C").replace("init_bias", "random_seed: 10 init_bias")
    first, second = (
        build_nodes(read_neuralnet(text, "net.prototxt").network).get_weights()[0] for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_dropout_keeps_the_mean_and_is_off_in_prediction() -> None:
    text = text_of((2000,), [("act", "identity"), ("fc", 2), LOSS], "D")
    line = 'layer { type: "Activation" activation_param { activation_function: "identity" } }'
    text = text.replace(line, 'layer { type: "Dropout" dropout_param { dropout_ratio: 0.25 } }')
    model = build_nodes(read_neuralnet(text, "net.prototxt").network)
    inner = keras.Model(model.input, model.get_layer("dropout_1").output)
    ones = np.ones((1, 2000))
    np.testing.assert_array_equal(inner(ones), 1)
    dropped = np.asarray(inner(ones, training=True))
    assert set(np.unique(dropped)) == {0.0, 1 / 0.75}
    assert dropped.mean() == pytest.approx(1, abs=0.06)
