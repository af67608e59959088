"""A functional model as a list of calls of its layers, in the order of the layer table, with the tensors between."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

OPEN_SIDE = 128
"""Size that a side counts as which differs between pictures."""

Values = dict[int, Any]
"""Tensor of the graph, by its id -> its value."""


@dataclass(frozen=True)
class Call:
    """One call of a layer. Tensors are those of the graph, which have no values.

    Attributes:
        node: Keras's own record of the call.
        inputs: tensors that it needs.
        outputs: tensors that it makes.
    """

    node: Any
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]

    @property
    def layer(self) -> Any:
        """The layer, or an operation of `keras.ops`."""
        return self.node.operation

    @property
    def name(self) -> str:
        """The layer's name."""
        return str(self.layer.name)


@dataclass(frozen=True)
class Graph:
    """All calls of a functional model, in an order in which each finds its inputs made."""

    calls: tuple[Call, ...]
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]

    def needed(self, first: int, end: int) -> list[Any]:
        """Return the tensors that calls `first` to `end` - 1 need and do not make, in the order of their use."""
        made = {id(tensor) for call in self.calls[first:end] for tensor in call.outputs}
        return _distinct(
            tensor
            for call in self.calls[first:end]
            for tensor in call.inputs
            if id(tensor) not in made
        )

    def passed_on(self, first: int, end: int) -> list[Any]:
        """Return the tensors that calls `first` to `end` - 1 make, and later calls or the model's outputs need."""
        later = {id(tensor) for call in self.calls[end:] for tensor in call.inputs}
        later |= {id(tensor) for tensor in self.outputs}
        return [
            tensor
            for call in self.calls[first:end]
            for tensor in call.outputs
            if id(tensor) in later
        ]


def graph_of(model: keras.Model) -> Graph:
    """Return the calls of a functional model."""
    place = {id(operation): number for number, operation in enumerate(model._operations)}
    calls = []
    for depth in sorted(model._nodes_by_depth, reverse=True):
        nodes = [node for node in model._nodes_by_depth[depth] if not node.is_input]
        nodes.sort(key=lambda node: place[id(node.operation)])
        calls += [Call(node, tuple(node.input_tensors), tuple(node.outputs)) for node in nodes]
    return Graph(tuple(calls), tuple(model.inputs), tuple(model.outputs))


_WITHOUT_INPUT = (
    *("ReLU", "Activation", "Softmax", "Dropout", "Add", "Subtract", "Average", "Concatenate"),
    *(
        "Flatten",
        "Reshape",
        "Permute",
        "Cropping2D",
        "Cropping3D",
        "ZeroPadding2D",
        "ZeroPadding3D",
    ),
    *("UpSampling2D", "UpSampling3D", "GlobalAveragePooling2D", "GlobalAveragePooling3D"),
)
_WITH_OUTPUT = ("ReLU", "Activation", "Softmax", "MaxPooling1D", "MaxPooling2D", "MaxPooling3D")


def is_needed_backward(graph: Graph, maker: Call, tensor: Any) -> bool:
    """Return whether a backward pass reads a tensor: most layers read their input, activations their output."""
    if type(maker.layer).__name__ in _WITH_OUTPUT:
        return True
    users = (call for call in graph.calls if any(tensor is given for given in call.inputs))
    return any(type(call.layer).__name__ not in _WITHOUT_INPUT for call in users)


def run_calls(
    calls: Iterable[Call], values: Values, operation: Callable[[Any], Callable[..., Any]]
) -> None:
    """Run calls in order; add what they make to the values.

    Args:
        calls: the calls.
        values: what they need from others.
        operation: returns the function to call for a layer.
    """
    for call in calls:
        args, kwargs = call.node.arguments.fill_in(values)
        made = operation(call.layer)(*args, **kwargs)
        for tensor, value in zip(call.outputs, keras.tree.flatten(made), strict=True):
            values[id(tensor)] = value


def with_training(layer: Any, training: bool) -> Callable[..., Any]:
    """Return the layer with its argument `training` set, if it has one, as a functional model calls it."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if getattr(layer, "_call_has_training_arg", False):
            kwargs["training"] = training
        return layer(*args, **kwargs)

    return call


def tensor_bytes(tensor: Any, samples: int) -> int:
    """Return the bytes of a tensor of the graph for a batch. A side that is not fixed counts as `OPEN_SIDE`."""
    sides = [OPEN_SIDE if side is None else side for side in tensor.shape[1:]]
    return int(samples * math.prod(sides) * tf.as_dtype(tensor.dtype).size)


def sizes_of(graph: Graph, samples: int) -> Mapping[int, int]:
    """Return the bytes of each tensor for a batch, by its id."""
    tensors = [*graph.inputs, *(tensor for call in graph.calls for tensor in call.outputs)]
    return {id(tensor): tensor_bytes(tensor, samples) for tensor in tensors}


def variables_of(calls: Sequence[Call]) -> tuple[list[keras.Variable], list[keras.Variable]]:
    """Return trainable and other variables of the called layers, each once."""
    layers = [call.layer for call in calls if isinstance(call.layer, keras.layers.Layer)]
    trainable = _distinct(v for layer in layers for v in layer.trainable_variables)
    others = _distinct(
        v for layer in layers for v in layer.variables if all(v is not t for t in trainable)
    )
    return trainable, others


def _distinct(things: Iterable[Any]) -> list[Any]:
    return list({id(thing): thing for thing in things}.values())
