"""A table of a model's layers: kind, output shape, shape of the weights, parameters and multiply-adds of one sample.

Multiply-adds are those of matrix products and convolutions in a forward pass, as papers count them. Biases,
normalization, activations, poolings and sums are not counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class LayerRow:
    """A layer of a model.

    Attributes:
        name: its name; layers of a model inside a model come after that model's name and a slash.
        kind: its class.
        output_shape: shape of its output without the batch; None is a side that is not fixed, () an unknown shape.
        weights_shape: shape of its largest weight, () without weights.
        parameters: how many numbers its weights are, moving statistics included.
        multiply_adds: of one sample, forward; None where a side is not fixed.
    """

    name: str
    kind: str
    output_shape: Shape
    weights_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int | None


def layer_rows(model: keras.Model) -> list[LayerRow]:
    """Return the layers of a built functional or sequential model, in its own order."""
    return [_row(name, layer) for name, layer in _layers_of(model, "")]


def total_multiply_adds(model: keras.Model) -> int | None:
    """Return the multiply-adds of one sample, forward; None where a side of the input is not fixed."""
    counts = [row.multiply_adds for row in layer_rows(model)]
    return None if None in counts else sum(count for count in counts if count is not None)


def trainable_parameters(model: keras.Model) -> int:
    """Return how many numbers training changes."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def layer_table(model: keras.Model) -> str:
    """Return a table with a line for each layer, and the totals."""
    rows, total = layer_rows(model), total_multiply_adds(model)
    head = ["layer", "kind", "output shape", "weights", "parameters", "multiply-adds"]
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    rule = ["-" * width for width in widths]
    text = [_aligned(line, widths) for line in (head, rule, *lines[1:])]
    parameters, trained = model.count_params(), trainable_parameters(model)
    text.append(
        f"\n{model.name}: {len(rows)} layers, {parameters:,} parameters ({trained:,} trainable), "
        f"{_count(total)} multiply-adds a sample"
    )
    return "\n".join(text) + "\n"


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    texts = [cell.ljust(width) for cell, width in zip(cells[:4], widths[:4], strict=True)]
    numbers = [cell.rjust(width) for cell, width in zip(cells[4:], widths[4:], strict=True)]
    return "  ".join([*texts, *numbers]).rstrip()


def _cells(row: LayerRow) -> list[str]:
    weights = _written(row.weights_shape) if row.weights_shape else ""
    counts = [f"{row.parameters:,}", _count(row.multiply_adds)]
    return [row.name, row.kind, _written(row.output_shape), weights, *counts]


def _count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def _written(shape: Shape) -> str:
    return "x".join("?" if side is None else str(side) for side in shape)


def _layers_of(model: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield (name, layer) of a model; of a model inside it, its layers."""
    for layer in model.layers:
        name = f"{prefix}{layer.name}"
        if isinstance(layer, keras.Model):
            yield from _layers_of(layer, f"{name}/")
        else:
            yield name, layer


def _row(name: str, layer: Any) -> LayerRow:
    weights = [tuple(weight.shape) for weight in layer.weights]
    largest = max(weights, key=math.prod, default=())
    shapes = _shapes(layer)
    counts = [_multiply_adds(layer, given, made) for given, made in shapes]
    if (
        not shapes and weights
    ):  # a layer of a subclassed model: Keras does not tell what it is given
        counts = [None]
    return LayerRow(
        name,
        type(layer).__name__,
        shapes[0][1] if shapes else (),
        largest,
        sum(map(math.prod, weights)),
        None if None in counts else sum(count for count in counts if count is not None),
    )


def _shapes(layer: Any) -> list[tuple[Shape, Shape]]:
    """Return the shapes of (input, output) of each call of a layer, without the batch."""
    nodes = layer._inbound_nodes  # Keras tells the shapes of a layer's single call only
    found = []
    for node in nodes:
        inputs, outputs = node.input_tensors, node.outputs
        if outputs:
            made = tuple(outputs[0].shape[1:])
            found.append((tuple(inputs[0].shape[1:]) if inputs else made, made))
    return found


def _multiply_adds(layer: Any, given: Shape, made: Shape) -> int | None:
    """Return the multiply-adds of one call, by the shapes of its input and output.

    A layer uses each number of its kernels once for each position: a pixel of its output, a time step. What no kernel
    is part of is not counted, but for the scores of attention.
    """
    layers = keras.layers
    kernels = [
        tuple(weight.shape)
        for weight in layer.weights
        if len(weight.shape) > 1 and weight.name != "bias"  # attention has a bias for each head
    ]
    if not kernels or isinstance(layer, _WITHOUT_PRODUCTS):
        return 0
    if isinstance(layer, layers.EinsumDense):
        return _einsum(layer.equation, (*given,), kernels[0], (*made,))
    # A transposed convolution spreads every position of its input, a recurrent layer reads every step.
    by_input = isinstance(layer, (*_TRANSPOSED, layers.RNN))
    shape = given if by_input else made
    first = getattr(layer, "data_format", None) == "channels_first"
    positions = _product(shape[1:] if first else shape[:-1])
    if positions is None:
        return None
    return positions * sum(map(math.prod, kernels)) + _scores(layer, positions)


def _einsum(equation: str, given: Shape, kernel: Shape, made: Shape) -> int | None:
    """Return the product of all sides but the batch, each once."""
    inputs, _, outputs = equation.partition("->")
    names, _, of_kernel = inputs.partition(",")
    sides: dict[str, int | None] = {}
    # Letters from the right: an ellipsis and the batch stand at the left.
    for letters, shape in ((names, given), (of_kernel, kernel), (outputs, made)):
        sides |= dict(zip(reversed(letters.replace(".", "")), reversed(shape), strict=False))
    return _product(tuple(sides.values()))


def _scores(layer: Any, positions: int) -> int:
    """Return the multiply-adds of self-attention's scores and weighed values; 0 for other layers."""
    if not isinstance(layer, keras.layers.MultiHeadAttention):
        return 0
    return int(positions**2 * layer.num_heads * (layer.key_dim + layer.value_dim))


def _product(sides: Shape) -> int | None:
    known = [side for side in sides if side is not None]
    return math.prod(known) if len(known) == len(sides) else None


_TRANSPOSED = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)
_WITHOUT_PRODUCTS = (
    keras.layers.Embedding,
    keras.layers.LayerNormalization,
    keras.layers.Normalization,
    keras.layers.PReLU,
)


LAUNCHER_HEAD = ("Layer", "Type", "#Params", "Output shape", "Weights shape", "Padding", "Stride")
_LAUNCHER_WIDTHS = (7, 10, 9, 15, 17, 9, 9)
"""Of the launcher's columns, if nothing is longer."""

_LAUNCHER_KINDS = {
    "Dense": "FC",
    "MaxPooling2D": "Pool2D",
    "AveragePooling2D": "Pool2D",
    "InputLayer": "Input",
}
_LAUNCHER_KINDS |= {"GlobalAveragePooling2D": "Pool2D", "ReLU": "Relu"}
_SHAPELESS = ("Flatten", "Reshape")


def launcher_table(model: keras.Model) -> str:
    """Return the table in the form of the PyDTNN launcher: seven columns, channels first, each activation a row.

    A reshaping layer is no row, an activation inside a layer is one.
    """
    rows = [(str(number), *cells) for number, cells in enumerate(_launcher_rows(model))]
    longest = [
        max(len(line[at]) for line in (LAUNCHER_HEAD, *rows)) + 2
        for at in range(len(LAUNCHER_HEAD))
    ]
    widths = [max(both) for both in zip(longest, _LAUNCHER_WIDTHS, strict=True)]
    lines = [_rule("┌┬┐", widths), _line(LAUNCHER_HEAD, widths)]
    for row in rows:
        lines += [_rule("├┼┤", widths), _line(row, widths)]
    return "\n".join([*lines, _rule("└┴┘", widths)]) + "\n"


def _rule(corners: str, widths: Sequence[int]) -> str:
    left, middle, right = tuple(corners)
    return left + middle.join("─" * width for width in widths) + right


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "│" + "│".join(map(_centred, cells, widths)) + "│"


def _centred(text: str, width: int) -> str:
    return (" " * ((width - len(text)) // 2) + text).ljust(width)


def _launcher_rows(model: keras.Model) -> Iterator[tuple[str, ...]]:
    """Yield type, parameters, output shape, weights' shape, padding and stride of each row."""
    for layer in model.layers:
        kind = type(layer).__name__
        if kind in _SHAPELESS:
            continue
        shape = _first(layer.output.shape[1:])
        if kind == "Activation":
            yield layer.activation.__name__.capitalize(), "0", shape, "", "", ""
            continue
        weights = _weights(layer)
        padding, stride = _geometry(layer)
        parameters = str(layer.count_params())
        yield _LAUNCHER_KINDS.get(kind, kind), parameters, shape, weights, padding, stride
        activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
        if activation != "linear" and kind not in _LAUNCHER_KINDS.values() and kind != "ReLU":
            yield activation.capitalize(), "0", shape, "", "", ""


def _first(sides: Sequence[int | None]) -> str:
    """Return a shape with the channels first, as Python writes a tuple."""
    return str((sides[-1], *sides[:-1]))


def _weights(layer: Any) -> str:
    """Return the kernel's shape: (inputs, outputs), or (outputs, inputs, height, width) of a convolution."""
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        return ""
    *window, inputs, outputs = kernel.shape
    return str((outputs, inputs, *window) if window else (inputs, outputs))


def _geometry(layer: Any) -> tuple[str, str]:
    """Return padding and stride, "" for layers without a window."""
    strides = getattr(layer, "strides", None)
    if strides is None:
        return "", ""
    window = getattr(layer, "kernel_size", None) or layer.pool_size
    # TensorFlow's "same" pads (window - 1) / 2 on each side at stride 1.
    padding = 0 if layer.padding == "valid" else (window[0] - 1) // 2
    return str(padding), str(strides[0])
