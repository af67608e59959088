"""Builds the Keras model of a network, with the public constructors of Keras 3 only: nothing is deserialized."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from ddl.models.network.file import final_nodes, read_network
from ddl.models.network.kinds.parts import Part
from ddl.models.network.nodes import Network, Node
from ddl.models.network.sizes import check_input
from ddl.models.network.within import model_within


def build_network(
    input_shape: Sequence[int | None] | None,
    *,
    classes: int | None = None,
    file: str | None = None,
    layers: str | None = None,
    norm: str = "sync",
    batch_norm_affine: str = "keras",
    anchors: tuple[float, ...] | None = None,
) -> keras.Model:
    """Return the model of a network file. Shape and classes come from the file.

    Args:
        input_shape: shape of the input with other sides, or open ones, if the network accepts them; None for the
            file's.
        classes: channels of its output, which must be those of the file; None for the file's.
        file: network file: JSON that Keras's to_json() wrote (Keras 2 or 3), or a list of layers.
        layers: the network itself as JSON text, in place of `file`; a run keeps the text of its file here.
        norm: "sync" lets batch normalization span all ranks; "batch" is per rank.
        batch_norm_affine: "keras" takes center=false and scale=false of batch normalizations as they are; "always"
            trains both.
        anchors: of a network that finds boxes: width and height of each anchor in pixels of the input, smallest first,
            equally many for each level. Its outputs are joined to one.
    """
    options = {
        "file": file,
        "layers": layers,
        "batch_norm_affine": batch_norm_affine,
        "anchors": anchors,
    }
    network = read_network(options)
    if input_shape is not None:
        check_input(network, tuple(input_shape))
    model = build_nodes(network, input_shape, norm=norm)
    own = network.layout.classes if network.layout else model.output_shape[-1]
    if classes not in (None, own):
        raise ValueError(
            f"Received: classes={classes} for model network. Expected: {own}, as {network.origin} has outputs."
        )
    return model


def build_nodes(
    network: Network, input_shape: Sequence[int | None] | None = None, *, norm: str = "sync"
) -> keras.Model:
    """Return the model of a network's nodes.

    Args:
        network: a checked network.
        input_shape: another shape of the input, without the batch; by default the network's.
        norm: "sync" or "batch".
    """
    inputs = keras.Input(tuple(input_shape or network.input_shape), name=network.input)
    made, final = {network.input: inputs}, final_nodes(network)
    for node in network.nodes:
        taken = [made[name] for name in node.inputs]
        layer = _layer(node, taken[0], norm, is_final=node in final)
        made[node.name] = layer(taken if node.of_kind.merges and len(taken) > 1 else taken[0])
    return keras.Model(inputs, made[network.output], name=network.name)


def _layer(node: Node, taken: Any, norm: str, *, is_final: bool) -> keras.layers.Layer:
    kind = node.of_kind
    if not kind.layer:
        return model_within(node.name, node.kind, node.settings, taken)
    settings = {key: _made(value) for key, value in node.settings.items() if key not in kind.unsent}
    if node.kind in _OF_THE_ONLY_SIDE:
        settings = {key: ends[0] for key, ends in settings.items()}
    if node.kind == "DepthwiseConv3D":
        settings = _as_groups(settings, taken.shape[-1])
    if node.kind == "PlaceWeights":
        settings |= {"equation": "nhwc,hwc->nhwc", "output_shape": tuple(taken.shape[1:])}
    if node.kind == "BatchNormalization":
        settings["synchronized"] = norm == "sync"
    if is_final:  # probabilities and losses need more precision than bfloat16
        settings["dtype"] = "float32" if keras.config.floatx() != "float64" else "float64"
    layer: keras.layers.Layer = getattr(keras.layers, kind.layer)(name=node.name, **settings)
    layer.trainable = node.trains
    return layer


_OF_THE_ONLY_SIDE = ("ZeroPadding1D", "Cropping1D", "UpSampling1D")
"""Kinds of lines whose setting Keras takes without a list of sides."""


def _made(value: Any) -> Any:
    """Return a setting as Keras takes it."""
    if isinstance(value, Part):
        return getattr(getattr(keras, value.family), value.name)(**value.config)
    return value


def _as_groups(settings: Mapping[str, Any], channels: int) -> dict[str, Any]:
    """Return the settings of a convolution with a group for each channel, from those of a depthwise one."""
    found = {key.replace("depthwise_", "kernel_"): value for key, value in settings.items()}
    filters = channels * found.pop("depth_multiplier")
    return {**found, "filters": filters, "groups": channels}
