"""Forms of network files: what people and versions of Keras write differently means the same network."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from ddl.models.network.document import network_from_values, parse_network
from ddl.models.network.file import Summary, summarize
from ddl.models.network.kinds.table import KINDS, find_kind
from ddl.models.network.nodes import Network, Node, make_network
from ddl.models.network.references import references
from ddl.models.network.translation import settings_of
from tests.models.network.fixtures import FIXTURES, P, resnet, small_cnn, unet, write
from tests.models.network.writer import CHAINS, FLAVOURS, Writer


def summary(layers: list[dict[str, Any]], **options: Any) -> Summary:
    return summarize({"layers": json.dumps(layers), **options})


def chain(*layers: dict[str, Any], shape: tuple[int | None, ...] = P) -> list[dict[str, Any]]:
    first, *others = layers
    return [{**first, "config": {**first["config"], "batch_input_shape": [None, *shape]}}, *others]


def layer(kind: str, **settings: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": settings}


def as_told(network: Network) -> list[tuple[str, Any, tuple[str, ...]]]:
    return [(node.name, dict(node.settings), node.inputs) for node in network.nodes]


def test_there_are_more_than_forty_of_all_kinds_and_flavours() -> None:
    assert len(FIXTURES) >= 40
    assert {flavour for _, flavour, _ in FIXTURES.values()} == set(FLAVOURS)
    found: Counter[str] = Counter()
    for name in FIXTURES:
        found.update(summarize({"layers": write(name)}).kinds)
    assert set(KINDS) - set(found) <= {"ActivityRegularization"}


@pytest.mark.parametrize("make", [small_cnn, resnet, unet])
def test_every_flavour_is_the_same_network(make: Any) -> None:
    told = []
    for flavour in FLAVOURS:
        if flavour in CHAINS and make is not small_cnn:
            continue
        net = Writer(flavour, P)
        make(net)
        network = parse_network(net.text(), flavour)
        nodes = [
            (name, {k: v for k, v in settings.items() if "initializer" not in k})
            for name, settings, _ in as_told(network)
        ]
        told.append(
            [
                (name, {**settings, "strides": str(settings.get("strides"))})
                for name, settings in nodes
            ]
        )
    for other in told[1:]:
        for (name, settings), (its_name, its_settings) in zip(told[0], other, strict=True):
            assert name == its_name
            for key in settings.keys() & its_settings.keys():
                assert settings[key] == its_settings[key] or "axis" in key, (name, key)


def test_layers_in_any_order_and_with_other_names_outside() -> None:
    net = Writer("functional-2.8", P)
    unet(net)
    document = net.values()
    expected = as_told(network_from_values(document, "net"))
    layers = document["config"]["layers"]
    layers.reverse()
    assert sorted(map(str, as_told(network_from_values(document, "net")))) == sorted(
        map(str, expected)
    )
    next(one for one in layers if one["name"] == "bottom_bn")["name"] = "renamed"
    for one in layers:
        if one["inbound_nodes"] == [[["bottom_bn", 0, 0, {}]]]:
            one["inbound_nodes"] = [[["renamed", 0, 0, {}]]]
    assert sorted(map(str, as_told(network_from_values(document, "net")))) == sorted(
        map(str, expected)
    )


@pytest.mark.parametrize(
    ("inbound", "names"),
    [
        (None, []),
        ([], []),
        ("a", ["a"]),
        (["a"], ["a"]),
        (["a", "b"], ["a", "b"]),
        (["a", 0, 0], ["a"]),
        ([["a", 0, 0]], ["a"]),
        ([["a"]], ["a"]),
        ([["a", "b"]], ["a", "b"]),
        ([["a", 0, 0], ["b", 0, 0]], ["a", "b"]),
        ([[["a", 0, 0, {}]]], ["a"]),
        ([[["a", 0, 0, {}], ["b", 0, 0, {"mask": None}]]], ["a", "b"]),
        ([[["a", 0, 0], ["b", 0, 0]]], ["a", "b"]),
    ],
)
def test_forms_of_inputs(inbound: Any, names: list[str]) -> None:
    assert references(inbound) == names


def test_a_layer_without_inputs_takes_the_one_before() -> None:
    net = Writer("functional-2.8", P)
    small_cnn(net)
    document = net.values()
    expected = as_told(network_from_values(document, "net"))
    for one in document["config"]["layers"][2:]:
        one["inbound_nodes"] = []
    assert as_told(network_from_values(document, "net")) == expected


def test_a_text_in_a_text_and_a_byte_order_mark() -> None:
    text = write("unet functional-2.8")
    expected = as_told(parse_network(text, "net"))
    assert as_told(parse_network(json.dumps(text), "net")) == expected
    assert as_told(parse_network("\ufeff" + text, "net")) == expected


def test_names_of_kinds_in_any_case_and_with_a_package() -> None:
    assert find_kind("Addons>InstanceNormalization") == "InstanceNormalization"
    assert find_kind("conv2d") == find_kind("Convolution2D") == "Conv2D"
    assert find_kind("BatchNormalizationV1") == "BatchNormalization"
    assert find_kind("log_softmax") == find_kind("LogSoftmax")
    assert find_kind(3) is None


def test_names_without_any_are_numbered_by_kind() -> None:
    told = summary(chain(layer("ReLU"), layer("ReLU"), layer("Flatten")))
    assert [one.node.name for one in told.layers] == ["relu_1", "relu_2", "flatten_1"]


def test_a_slash_becomes_an_underscore_and_the_old_name_stays() -> None:
    network = parse_network(write("densenet functional-2.4"), "net")
    node = network.nodes[0]
    assert (node.name, node.old_name) == ("conv1_conv_conv", "conv1/conv_conv")


@pytest.mark.parametrize(
    ("padding", "sides", "added"),
    [
        (0, (14, 14), []),
        (1, (16, 16), ["ZeroPadding2D"]),
        ([1, 2], (16, 18), ["ZeroPadding2D"]),
        ([[0, 1], [2, 2]], (15, 18), ["ZeroPadding2D"]),
    ],
)
def test_padding_as_numbers_is_a_layer_before(padding: Any, sides: Any, added: list[str]) -> None:
    told = summary(chain(layer("Conv2D", name="c", filters=2, kernel_size=3, padding=padding)))
    assert told.output_shape == (*sides, 2)
    assert [one.node.kind for one in told.layers] == [*added, "Conv2D"]
    assert [one.node.name for one in told.layers][-1] == "c"


@pytest.mark.parametrize(
    ("settings", "side"),
    [
        ({"padding": 0}, 7 * 2 + 3),
        ({"padding": 1}, 7 * 2 + 3 - 2),
        ({"padding": 1, "output_padding": 1}, 7 * 2 + 3 - 2 + 1),
        ({"padding": 0, "kernel_size": 1}, 7 * 2 + 1),
        ({"padding": "same"}, 16),
        ({"padding": "valid", "kernel_size": 1}, 16),
    ],
)
def test_transposed_padding_as_numbers_is_torchs(settings: dict[str, Any], side: int) -> None:
    settings = {"filters": 2, "kernel_size": 3, "strides": 2, **settings}
    told = summary(chain(layer("Conv2DTranspose", name="c", **settings), shape=(8, 8, 1)))
    assert told.output_shape == (side, side, 2)


def test_what_keras_3_computes_otherwise_is_written_out() -> None:
    layers = chain(layer("Dense", name="d", units=2, activation="hard_sigmoid"), shape=(3,))
    assert [one.node.name for one in summary(layers).layers] == ["d", "d_scaled", "d_clipped"]
    layers[0]["module"] = "keras.layers"
    assert [one.node.name for one in summary(layers).layers] == ["d"]


def test_momentum_of_torch_is_turned_around_and_noted() -> None:
    told = summary(chain(layer("BatchNormalization", name="n", momentum=0.1)))
    assert told.layers[0].node.settings["momentum"] == pytest.approx(0.9)
    assert told.notes == (
        "BatchNormalization momentum=0.1 is torch's convention, and is taken as 0.9. 1 layer: n.",
    )


def test_norms_without_scale_or_center_are_kerass_or_always_affine() -> None:
    layers = chain(layer("BatchNormalization", name="n", scale=False))
    told, affine = summary(layers), summary(layers, batch_norm_affine="always")
    assert [one.name for one in told.layers[0].weights] == [
        "beta",
        "moving_mean",
        "moving_variance",
    ]
    assert told.notes[0].startswith("BatchNormalization without center or scale")
    assert (told.parameters, affine.parameters, affine.notes) == (9, 12, ())


@pytest.mark.parametrize(
    ("settings", "weights"),
    [
        ({}, []),
        ({"affine": True}, ["gamma", "beta"]),
        ({"affine": False}, []),
        ({"center": True, "scale": False}, ["beta"]),
    ],
)
def test_instance_norms_have_what_torch_or_addons_say(settings: Any, weights: list[str]) -> None:
    told = summary(chain(layer("InstanceNormalization", name="n", momentum=0.1, **settings)))
    assert [one.name for one in told.layers[0].weights] == weights


@pytest.mark.parametrize("name", ["swish", "Swish", "SiLU", "silu"])
def test_activations_have_kerass_names(name: str) -> None:
    told = summary(chain(layer("Activation", name="a", activation=name)))
    assert told.last_activation == "silu"


@pytest.mark.parametrize(
    ("layers", "activation"),
    [
        ([layer("Dense", units=2, activation="log_softmax_v2")], "log_softmax"),
        ([layer("Dense", units=2), layer("Softmax")], "softmax"),
        (
            [layer("Dense", units=2, activation="sigmoid"), layer("Reshape", target_shape=[2])],
            "sigmoid",
        ),
        ([layer("Dense", units=2), layer("LeakyReLU", alpha=0.1)], "leaky_relu"),
        ([layer("Dense", units=2, activation="relu"), layer("BatchNormalization")], "linear"),
        ([layer("Log_Softmax", axis=1)], "log_softmax"),
    ],
)
def test_the_last_activation_is_found(layers: Any, activation: str) -> None:
    assert summary(chain(*layers, shape=(3,))).last_activation == activation


def test_frozen_layers_count_as_not_trainable() -> None:
    told = summarize({"layers": write("frozen functional-2.8")})
    assert (told.parameters, told.trainable) == (143, 15)


def test_what_leads_nowhere_is_left_out_and_told() -> None:
    net = Writer("functional-2.8", P)
    small_cnn(net)
    document = net.values()
    document["config"]["output_layers"] = [["dense_1", 0, 0]]
    network = network_from_values(document, "net")
    assert network.output == "dense_1"
    assert network.notes == ("Left out, because they do not lead to the output: dense_2.",)


def test_other_readers_make_networks_of_nodes() -> None:
    settings = settings_of(
        "Conv2D", {"filters": 2, "kernel_size": 3}, name="c", origin="net.prototxt"
    )
    nodes = [Node("r", "ReLU", settings_of("ReLU", {}, name="r", origin="n"), ("c",))]
    nodes.append(Node("c", "Conv2D", settings, ("data",)))
    network = make_network("n", "data", (8, 8, 1), nodes, origin="net.prototxt")
    assert [node.name for node in network.nodes] == ["c", "r"]
    with pytest.raises(ValueError, match=r"net\.prototxt, layer c \(Conv2D\) without kernel_size"):
        settings_of("Conv2D", {"filters": 2}, name="c", origin="net.prototxt")
