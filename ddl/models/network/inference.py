"""Shapes, weights and parameters of a network, layer by layer, as Keras counts them. No TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ddl.models.network.kinds.shapes import BadShape, Shape, by
from ddl.models.network.kinds.weights import Weight
from ddl.models.network.nodes import Network, Node


@dataclass(frozen=True)
class Layer:
    """A layer with what it gets and makes.

    Attributes:
        node: the layer.
        inputs: shapes that it takes, without the batch.
        shape: shape that it makes.
        weights: its weights.
    """

    node: Node
    inputs: tuple[Shape, ...]
    shape: Shape
    weights: tuple[Weight, ...]

    @property
    def parameters(self) -> int:
        """How many numbers its weights are, moving statistics included."""
        return sum(math.prod(weight.shape) for weight in self.weights)

    @property
    def trainable(self) -> int:
        """How many of them training changes."""
        if not self.node.trains:
            return 0
        return sum(math.prod(weight.shape) for weight in self.weights if weight.trains)

    @property
    def multiply_adds(self) -> int | None:
        """Multiply-adds of matrix products and convolutions for one sample; None where a side is open."""
        if self.node.of_kind.layer in _WITHOUT_PRODUCTS:
            return 0
        kernels = [math.prod(weight.shape) for weight in self.weights if len(weight.shape) > 1]
        if not kernels:
            return 0
        sides = (self.inputs[0] if self.node.of_kind.spreads else self.shape)[:-1]
        known = [side for side in sides if side is not None]
        return math.prod(known) * sum(kernels) if len(known) == len(sides) else None


_WITHOUT_PRODUCTS = ("LayerNormalization", "PReLU", "EinsumDense")


def infer(network: Network, input_shape: Sequence[int | None] | None = None) -> list[Layer]:
    """Return every layer with its shapes and weights, for an input of this shape; by default that of the network.

    Raises:
        ValueError: a layer cannot take what it gets; the message names it.
    """
    made: dict[str, Shape] = {network.input: tuple(input_shape or network.input_shape)}
    layers = []
    for node in network.nodes:
        inputs = tuple(made[name] for name in node.inputs)
        try:
            layer = _inferred(node, inputs)
        except BadShape as error:
            raise ValueError(
                f"Received: {network.origin}, layer {node.name} ({node.kind}) at an input of "
                f"{by(made[network.input])}: {error}. Expected: layers that fit together."
            ) from None
        made[node.name] = layer.shape
        layers.append(layer)
    return layers


def infer_node(node: Node, inputs: tuple[Shape, ...]) -> Shape:
    """Return the shape that a node makes of these.

    Raises:
        BadShape: it cannot take them.
    """
    return _inferred(node, inputs).shape


def _inferred(node: Node, inputs: tuple[Shape, ...]) -> Layer:
    kind = node.of_kind
    if kind.axes is not None and len(inputs[0]) != kind.axes + 1:
        expected = "channels alone" if not kind.axes else f"{kind.axes} sides and channels"
        raise BadShape(f"its input of {by(inputs[0])} is not {expected}")
    shape = kind.shape(node.settings, inputs)
    return Layer(node, inputs, shape, tuple(kind.weights(node.settings, inputs[0])))
