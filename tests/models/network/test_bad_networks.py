"""Networks that cannot be built are refused in one line, which names the file and the layer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ddl.models.network.document import parse_network
from ddl.models.network.inference import infer
from tests.models.network.fixtures import P, merges, resnet, small_cnn, unet
from tests.models.network.writer import Writer

Change = Callable[[list[dict[str, Any]]], Any]


def layers_of(make: Callable[[Writer], Any], flavour: str) -> tuple[Any, list[dict[str, Any]]]:
    net = Writer(flavour, P)
    make(net)
    document = json.loads(net.text())
    inner = document["config"]
    return document, inner["layers"] if isinstance(inner, dict) else inner


def config(number: int, **settings: Any) -> Change:
    return lambda layers: layers[number]["config"].update(settings)


def inbound(number: int, nodes: Any) -> Change:
    return lambda layers: layers[number].update(inbound_nodes=nodes)


def layer(kind: str, **settings: Any) -> Change:
    return lambda layers: layers.append(
        {"class_name": kind, "config": {"name": "added", **settings}}
    )


SEQUENTIAL = {
    "an unknown kind": (
        layer("LSTM", units=3),
        "layer added of the unknown kind 'LSTM'. Expected: one of: ",
    ),
    "a kind that is nearly known": (layer("Conv2d_"), "layer added \\(Conv2D\\) without filters"),
    "a near name": (layer("MaxPool4D"), "Did you mean 'MaxPooling"),
    "a model inside": (
        layer("Functional", layers=[]),
        "layer added, which is itself a model \\(Functional\\)",
    ),
    "a lambda": (layer("Lambda", function="x"), "unknown kind 'Lambda'"),
    "a recurrent layer": (layer("TimeDistributed"), "unknown kind 'TimeDistributed'"),
    "no filters": (config(0, filters=0), "conv2d_1 \\(Conv2D\\): filters=0. Expected: a whole"),
    "text as filters": (config(0, filters="4"), "filters='4'"),
    "true as filters": (config(0, filters=True), "filters=True"),
    "a fraction of filters": (config(0, filters=4.5), "filters=4.5"),
    "three sides": (
        config(0, kernel_size=[3, 3, 3]),
        "kernel_size=\\[3, 3, 3\\]. Expected: a whole",
    ),
    "negative strides": (config(0, strides=[-1, 1]), "strides="),
    "unknown padding": (config(0, padding="reflect"), "padding='reflect'. Expected: one of valid"),
    "negative padding": (config(0, padding=-1), "padding=-1. Expected: valid, same, or"),
    "channels first": (config(0, data_format="channels_first"), "Expected: channels_last"),
    "an unknown activation": (config(0, activation="rellu"), "Did you mean 'relu'"),
    "an activation of another type": (config(0, activation=["relu"]), "the name of an activation"),
    "an activation layer": (
        config(0, activation={"class_name": "LeakyReLU", "config": {}}),
        "the name of an activation",
    ),
    "an unknown setting": (
        config(0, kernal_size=[3, 3]),
        "unknown setting 'kernal_size'.*mean 'ker",
    ),
    "an unknown initializer": (
        config(0, kernel_initializer="xavier"),
        "one of Keras's initializers",
    ),
    "an initializer with an unknown setting": (
        config(0, kernel_initializer={"class_name": "HeUniform", "config": {"gain": 2}}),
        "HeUniform with seed, not gain",
    ),
    "an initializer out of range": (
        config(0, kernel_initializer={"class_name": "RandomNormal", "config": {"stddev": -1}}),
        "RandomNormal with stddev as a number, at least 0",
    ),
    "an unknown regularizer": (config(0, kernel_regularizer="l3"), "one of Keras's regularizers"),
    "a negative regularizer": (
        config(0, kernel_regularizer={"class_name": "L2", "config": {"l2": -0.1}}),
        "L2 with l2 as",
    ),
    "an unknown constraint": (config(0, kernel_constraint="small"), "one of Keras's constraints"),
    "groups that do not divide": (config(0, groups=2), "groups=2 do not divide its 3 channels"),
    "strides and dilations": (
        config(0, strides=[2, 2], dilation_rate=[2, 2]),
        "strides and dilation_rate are both above 1",
    ),
    "a kernel larger than the picture": (
        config(0, kernel_size=[17, 17]),
        "window of 17 does not fit",
    ),
    "trainable as text": (config(0, trainable="no"), "trainable='no'. Expected: true or false"),
    "a dropout of 1": (config(2, rate=1), "rate=1. Expected: a number, at least 0, below 1"),
    "a dropout without a rate": (
        lambda layers: layers[2]["config"].pop("rate"),
        "dropout_1 \\(Dropout\\) without rate",
    ),
    "units without a size": (config(4, units=None), "units=None"),
    "pooling of text": (config(1, pool_size="2"), "pool_size='2'"),
    "an impossible reshape": (layer("Reshape", target_shape=[2, 2]), "3 cannot become 2x2"),
    "two open sides": (layer("Reshape", target_shape=[-1, -1]), "one may be -1"),
    "a permutation that is none": (layer("Permute", dims=[2, 1]), "are no order of 1 sides"),
    "a picture layer on a row": (layer("Conv2D", filters=2, kernel_size=3), "is not 2 sides and"),
    "another axis of a norm": (layer("BatchNormalization", axis=2), "axis=2 is not that of the"),
    "renorm": (layer("BatchNormalization", renorm=True), "renorm=True. Expected: none"),
    "two axes of a norm": (layer("BatchNormalization", axis=[1, 2]), "axis=\\[1, 2\\]"),
    "running statistics": (
        layer("InstanceNormalization", track_running_stats=True),
        "track_running_stats=True. Expected: none",
    ),
    "a name twice": (config(2, name="conv2d_1"), "the layer name 'conv2d_1' twice"),
    "a name twice after /": (
        lambda layers: (config(0, name="a/b")(layers), config(2, name="a_b")(layers)),
        "the layer name 'a_b' twice \\(a/b and a_b\\)",
    ),
    "no input shape": (
        lambda layers: layers[0]["config"].pop("batch_input_shape"),
        "layer conv2d_1 with no batch_input_shape",
    ),
    "an input without channels": (
        config(0, batch_input_shape=[None, 16, 16, None]),
        "a number of channels",
    ),
    "an empty side": (
        config(0, batch_input_shape=[None, 0, 16, 3]),
        "batch_input_shape=\\[None, 0",
    ),
    "an input of text": (config(0, batch_input_shape="16"), "batch_input_shape=16"),
    "a layer that is no object": (
        lambda layers: layers.append("Dense"),
        "number 7 without a class",
    ),
    "a config that is a list": (
        lambda layers: layers.append({"class_name": "Dense", "config": [3]}),
        "whose config is no object",
    ),
    "no layers": (lambda layers: layers.clear(), "no layers"),
}

GRAPH = {
    "a dangling name": (
        inbound(5, [[["conv1_bnn", 0, 0, {}]]]),
        "layer pool1_pad \\(ZeroPadding2D\\) whose input 'conv1_bnn' is no layer.*mean 'conv1_bn'",
    ),
    "a circle": (
        inbound(2, [[["pool1", 0, 0, {}]]]),
        "layers in a circle \\(pool1 <- pool1_pad <- conv1_relu <- conv1_bn <- conv1_conv <- pool1",
    ),
    "itself": (inbound(4, [[["conv1_relu", 0, 0, {}]]]), "conv1_relu <- conv1_relu"),
    "a shared layer": (
        inbound(4, [[["conv1_bn", 0, 0, {}]], [["pool1", 0, 0, {}]]]),
        "conv1_relu \\(Activation\\) with 2 uses of it, a shared layer",
    ),
    "another node": (inbound(4, [[["conv1_bn", 1, 0, {}]]]), "node 1, tensor 0 of conv1_bn"),
    "another tensor": (inbound(4, [[["conv1_bn", 0, 2, {}]]]), "node 0, tensor 2 of conv1_bn"),
    "call arguments": (
        inbound(4, [[["conv1_bn", 0, 0, {"training": True}]]]),
        "the argument training=True in its call",
    ),
    "frozen by a call": (
        inbound(3, [[["conv1_conv", 0, 0, {"training": False}]]]),
        "the argument training=False in its call",
    ),
    "inputs of another form": (inbound(4, [[[1, 2]]]), "Expected: a list like"),
    "inputs as an object": (inbound(4, {"a": 1}), "inbound_nodes of type dict"),
    "two inputs of a convolution": (
        inbound(2, [[["conv1_pad", 0, 0, {}], ["input_1", 0, 0, {}]]]),
        "conv1_conv \\(Conv2D\\) with 2 inputs. Expected: one input",
    ),
    "two input layers": (
        lambda layers: layers.insert(
            0, {**layers[0], "name": "other", "config": {"name": "other"}}
        ),
        "2 inputs \\(other, input_1\\)",
    ),
}

SUMS = {
    "sums of other channels": (config(1, filters=4), "differ. Expected: layers that fit together"),
    "sums of other sides": (config(1, strides=[2, 2]), "its inputs of .* differ"),
}


def refused(values: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        infer(parse_network(json.dumps(values), "net.json"))
    told = str(caught.value)
    assert told.startswith("Received: net.json")
    assert "\n" not in told
    assert told.endswith((".", "?"))
    assert not told.endswith("?.")


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_a_bad_layer_is_named(name: str) -> None:
    change, message = SEQUENTIAL[name]
    document, layers = layers_of(small_cnn, "sequential-2.1")
    change(layers)
    refused(document, message)


@pytest.mark.parametrize("name", GRAPH)
def test_a_bad_graph_is_named(name: str) -> None:
    change, message = GRAPH[name]
    document, layers = layers_of(resnet, "functional-2.8")
    change(layers)
    refused(document, message)


@pytest.mark.parametrize("name", SUMS)
def test_inputs_that_differ_are_named(name: str) -> None:
    change, message = SUMS[name]
    document, layers = layers_of(merges, "functional-2.8")
    change(layers)
    refused(document, message)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ([["no", 0, 0]], "an output 'no' that is no layer"),
        ([["out", 0, 0], ["up0_relu", 0, 0]], "2 outputs \\(out, up0_relu\\)"),
        ([["out", 1, 0]], "output_layers with node 1"),
        (5, "output_layers with"),
    ],
)
def test_bad_outputs_are_named(outputs: Any, message: str) -> None:
    document, _ = layers_of(unet, "functional-2.8")
    document["config"]["output_layers"] = outputs
    refused(document, message)


def test_layers_that_nobody_takes_are_named() -> None:
    document, layers = layers_of(unet, "functional-2.8")
    del document["config"]["output_layers"]
    layers.append(
        {"class_name": "ReLU", "config": {"name": "loose"}, "inbound_nodes": ["bottom_bn"]}
    )
    refused(document, "several layers that no other takes \\(out, loose\\)")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1: Expecting value"),
        ('[{"class_name": "Dense",}]', "line 1, column 25"),
        ("[1] [2]", "Extra data"),
        ("null", "NoneType as a network"),
        ("3", "int as a network"),
        ("{}", "an object without class_name"),
        ('{"class_name": "Lambda"}', "class_name='Lambda'"),
        ('{"class_name": "Model"}', "without config.layers"),
        ('{"class_name": "Model", "config": {"layers": 3}}', "without config.layers"),
        ('[{"class_name": "Dense", "config": {"units": NaN}}]', "NaN, which is no JSON"),
        ('{"neural_network": {}}', "an object without class_name"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_text_that_is_no_network_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse_network(text, "net.json")
    assert str(caught.value).startswith("Received: net.json")
