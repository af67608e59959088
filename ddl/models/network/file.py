"""Reads a network by the options of the model `network`, each text once, and tells what it is. No TensorFlow."""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ddl.files import read_text
from ddl.models.network.document import parse_network
from ddl.models.network.inference import Layer, infer
from ddl.models.network.kinds.shapes import Shape, by
from ddl.models.network.levels import as_detector
from ddl.models.network.nodes import Network, Node
from ddl.models.network.prototxt import looks_like_prototxt, network_of, read_neuralnet
from ddl.models.network.sizes import network_sides
from ddl.models.sides import Sides

AFFINE = ("keras", "always")
DIGEST = "sha256:"
"""In place of a text: that of a file which must have this digest."""

UNKNOWN = "unknown"
"""Last activation of a network that ends in a layer without one, such as a sum."""

_TRANSPARENT = (
    *("Reshape", "Flatten", "Permute", "Cropping1D", "Cropping2D", "Cropping3D"),
    *("UpSampling1D", "UpSampling2D", "UpSampling3D", "Dropout", "SpatialDropout2D"),
)
"""Layers that leave values, or what they stand for, as they are."""

_BY_CLASS = {
    "Softmax": "softmax",
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "PReLU": "prelu",
    "ELU": "elu",
    "BatchNormalization": "linear",
}


def read_network(options: Mapping[str, Any], origin: str = "") -> Network:
    """Return the network of the options `file`, `layers`, `batch_norm_affine` and `anchors`.

    Args:
        options: those of the model `network`.
        origin: what messages call it; by default the file, or "layers".

    Raises:
        ValueError: there is none, or it cannot be built; the message names the file and the layer.
    """
    origin = origin or str(options.get("file") or "layers")
    anchors = tuple(float(number) for number in options.get("anchors") or ())
    is_affine = options.get("batch_norm_affine") == "always"
    return _network(network_text(options), origin, is_affine, anchors)


def network_text(options: Mapping[str, Any]) -> str:
    """Return the text of the network: `layers`, which wins, or that of `file`.

    Raises:
        ValueError: neither is given, or the file cannot be read, or is not the one with the digest in `layers`.
    """
    file, layers = options.get("file"), options.get("layers")
    if layers and not layers.startswith(DIGEST):
        return str(layers)
    if not file:
        raise ValueError(
            "Received: model network without a network. Expected: model_option file=NAME, a network that Keras's "
            "to_json() wrote, or a prototxt."
        )
    try:
        text = read_text(Path(file))
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Received: {file}, which is not UTF-8 ({error.reason}). Expected: JSON or prototxt."
        ) from None
    except OSError as error:
        raise ValueError(
            f"Received: {file}, which cannot be read ({error.strerror}). Expected: a network file, JSON or prototxt."
        ) from None
    if layers and digest_of(text) != layers:
        raise ValueError(
            f"Received: {file}, which is another network than that of the run. Expected: the same file, or a new run."
        )
    return text


def digest_of(text: str) -> str:
    """Return the digest that stands in place of a text."""
    return DIGEST + hashlib.sha256(text.encode()).hexdigest()


@functools.lru_cache(maxsize=16)
def _network(text: str, origin: str, has_affine_norms: bool, anchors: tuple[float, ...]) -> Network:
    if looks_like_prototxt(text):
        network = network_of(read_neuralnet(text, origin))
        return as_detector(network, anchors) if anchors else network
    network = parse_network(text, origin, joins=bool(anchors))
    if has_affine_norms:
        network = _with_affine_norms(network)
    if anchors:
        network = as_detector(network, anchors)
    infer(network)
    return network


def _with_affine_norms(network: Network) -> Network:
    """Return the network with scale and shift in every batch normalization, whatever its file says."""
    nodes = tuple(
        replace(node, settings={**node.settings, "center": True, "scale": True})
        if node.kind == "BatchNormalization"
        else node
        for node in network.nodes
    )
    notes = tuple(note for note in network.notes if "batch_norm_affine" not in note)
    return replace(network, nodes=nodes, notes=notes)


@dataclass(frozen=True)
class Summary:
    """What a network file holds.

    Attributes:
        name: the network's name.
        kinds: kind of layers -> how many there are.
        input_shape: shape of the input without the batch; None is an open side.
        output_shape: shape of the output.
        target: "label" for an output (classes,), "mask" for one with sides, "boxes" for that of a detector.
        classes: channels of the output; of a detector, those without the five of a box.
        last_activation: activation that the output comes out of, such as "softmax"; "linear" for a weighted sum; else
            `UNKNOWN`.
        layers: its layers with shapes, weights and parameters.
        sides: the input sizes that it accepts.
        notes: lines about what is not as the file says it.
    """

    name: str
    kinds: Mapping[str, int]
    input_shape: Shape
    output_shape: Shape
    target: str
    classes: int
    last_activation: str
    layers: tuple[Layer, ...]
    sides: Sides
    notes: tuple[str, ...]

    @property
    def parameters(self) -> int:
        """How many numbers the weights are, moving statistics included."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def trainable(self) -> int:
        """How many of them training changes."""
        return sum(layer.trainable for layer in self.layers)

    @property
    def multiply_adds(self) -> int | None:
        """Multiply-adds of one sample, forward; None where a side is open."""
        counts = [layer.multiply_adds for layer in self.layers]
        return None if None in counts else sum(count for count in counts if count is not None)


def summarize(options: Mapping[str, Any], origin: str = "") -> Summary:
    """Return what the network of these options is, without TensorFlow.

        summarize({"file": "net.json"}).parameters
        summarize({"layers": json.dumps([...])}, "config.json: layers").output_shape

    Args:
        options: those of the model `network`.
        origin: what messages call it; by default the file, or "layers".

    Raises:
        ValueError: there is none, or it cannot be built; the message names the file and the layer.
    """
    return _summary(read_network(options, origin))


def output_shape(options: Mapping[str, Any], shape: Sequence[int | None]) -> Shape:
    """Return the shape of the network's output for an input of this shape.

    Raises:
        ValueError: a layer cannot take it.
    """
    return infer(read_network(options), shape)[-1].shape


@functools.lru_cache(maxsize=64)
def _summary(network: Network) -> Summary:
    layers = tuple(infer(network))
    output = layers[-1].shape
    if output[-1] is None:
        raise ValueError(
            f"Received: {network.origin}, whose output has no known number of channels. Expected: a known one."
        )
    return Summary(
        name=network.name,
        kinds=dict(Counter(node.kind for node in network.nodes)),
        input_shape=network.input_shape,
        output_shape=output,
        target="boxes" if network.layout else "label" if len(output) == 1 else "mask",
        classes=network.layout.classes if network.layout else output[-1],
        last_activation="linear" if network.layout else _last_activation(network),
        layers=layers,
        sides=network_sides(network),
        notes=network.notes,
    )


def final_nodes(network: Network) -> list[Node]:
    """Return the nodes after which the values of the output only change their places, from the output on."""
    known = {node.name: node for node in network.nodes}
    found = [known[network.output]]
    while _passes(found[-1]) and found[-1].inputs[0] in known:
        found.append(known[found[-1].inputs[0]])
    return found


def _last_activation(network: Network) -> str:
    node = final_nodes(network)[-1]
    if _passes(node):  # the input itself
        return UNKNOWN
    return _BY_CLASS.get(node.of_kind.layer) or node.settings.get("activation", UNKNOWN)


def _passes(node: Node) -> bool:
    is_linear = node.of_kind.layer == "Activation" and node.settings["activation"] == "linear"
    return (node.of_kind.layer in _TRANSPARENT or is_linear) and len(node.inputs) == 1


def describe(options: Mapping[str, Any], origin: str = "") -> list[str]:
    """Return lines on what a network is, and on what is not as its file says it, for people."""
    told = summarize(options, origin)
    name = origin or options.get("file") or told.name
    numbers = f"{told.parameters:,} parameters, {told.trainable:,} of them trainable"
    shapes = (
        f"input {by(told.input_shape)}, output {by(told.output_shape)} ({told.last_activation})"
    )
    return [
        f"{name}: {len(told.layers)} layers, {numbers}; {shapes}",
        *(f"{name}: {note.rstrip('.')}" for note in told.notes),
    ]


def compact(values: Any) -> str:
    """Return JSON values as the text of the option `layers`."""
    return json.dumps(values, separators=(",", ":"))
