"""What dolphin and Cay compute, again in NumPy: channels first, loops over windows, gradients by hand.

Nothing here shares code with `ddl`. A network is a list of tuples, from which `text_of` writes a prototxt.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class FullyConnected:
    def __init__(self, shape: tuple[int, ...], units: int, random: np.random.Generator) -> None:
        self.shape, self.out = shape, (units,)
        size = math.prod(shape)
        self.weights = [
            random.normal(0, 0.5 / math.sqrt(size), (size, units)),
            random.normal(0, 0.3, units),
        ]

    def forward(self, x: Array) -> Array:
        self.x = x.reshape(len(x), -1)
        return self.x @ self.weights[0] + self.weights[1]

    def backward(self, error: Array) -> Array:
        self.gradients = [self.x.T @ error / len(error), error.mean(0)]
        return (error @ self.weights[0].T).reshape(len(error), *self.shape)


def count(side: int, kernel: int, pad: int, stride: int) -> int:
    return math.ceil((side - kernel + 2 * pad) / stride) + 1


class Windows:
    """Convolution and pooling share how windows lie."""

    weights: tuple[Array, ...] | list[Array] = ()
    gradients: tuple[Array, ...] | list[Array] = ()

    def __init__(
        self,
        shape: tuple[int, ...],
        kernel: tuple[int, int],
        pad: tuple[int, int],
        stride: tuple[int, int],
    ) -> None:
        self.shape, self.kernel, self.pad, self.stride = shape, kernel, pad, stride
        self.sides = [
            count(side, *rest) for side, *rest in zip(shape[1:], kernel, pad, stride, strict=True)
        ]

    def cells(self, row: int, column: int) -> list[tuple[int, int, int, int]]:
        """Return (y, x, offset in the window) of the cells of a window that lie in the input."""
        found = []
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                y = row * self.stride[0] - self.pad[0] + i
                x = column * self.stride[1] - self.pad[1] + j
                if 0 <= y < self.shape[1] and 0 <= x < self.shape[2]:
                    found.append((y, x, i, j))
        return found

    def places(self) -> list[tuple[int, int]]:
        return [(row, column) for row in range(self.sides[0]) for column in range(self.sides[1])]


class Convolution(Windows):
    def __init__(
        self,
        shape: Any,
        filters: int,
        kernel: Any,
        pad: Any,
        stride: Any,
        random: np.random.Generator,
        untied: bool,
    ) -> None:
        super().__init__(shape, kernel, pad, stride)
        self.out = (filters, *self.sides)
        size = shape[0] * math.prod(kernel)
        self.untied = untied
        self.weights = [
            random.normal(0, 1 / math.sqrt(size), (filters, shape[0], *kernel)),
            random.normal(0, 0.3, self.out if untied else (filters,)),
        ]

    def forward(self, x: Array) -> Array:
        self.x = x
        made = np.zeros((len(x), *self.out))
        for row, column in self.places():
            for y, at, i, j in self.cells(row, column):
                made[:, :, row, column] += x[:, :, y, at] @ self.weights[0][:, :, i, j].T
        return made + (self.weights[1] if self.untied else self.weights[1][:, None, None])

    def backward(self, error: Array) -> Array:
        kernel, back = np.zeros_like(self.weights[0]), np.zeros_like(self.x)
        for row, column in self.places():
            here = error[:, :, row, column]
            for y, at, i, j in self.cells(row, column):
                kernel[:, :, i, j] += here.T @ self.x[:, :, y, at]
                back[:, :, y, at] += here @ self.weights[0][:, :, i, j]
        bias = error.sum(0) if self.untied else error.sum((0, 2, 3))
        self.gradients = [kernel / len(error), bias / len(error)]
        return back


class Pooling(Windows):
    def __init__(self, shape: Any, how: str, kernel: Any, pad: Any, stride: Any) -> None:
        super().__init__(shape, kernel, pad, stride)
        for axis in (0, 1):  # a last window that begins behind the input is dropped
            start = (self.sides[axis] - 1) * stride[axis]
            if self.sides[axis] > 1 and start >= shape[axis + 1] + pad[axis]:
                self.sides[axis] -= 1
        self.how, self.out = how, (shape[0], *self.sides)

    def divisor(self, row: int, column: int) -> int:
        """Return the cells of a window within the input and its padding."""
        size = 1
        for axis, place in ((0, row), (1, column)):
            start = place * self.stride[axis]
            end = min(start + self.kernel[axis], self.shape[axis + 1] + 2 * self.pad[axis])
            size *= end - start
        return size

    def forward(self, x: Array) -> Array:
        made = np.zeros((len(x), *self.out))
        self.taken: dict[tuple[int, int], Array] = {}
        self.size = x.shape
        for row, column in self.places():
            cells = self.cells(row, column)
            values = np.stack([x[:, :, y, at] for y, at, _, _ in cells], axis=-1)
            if self.how == "MAX":
                self.taken[row, column] = values.argmax(-1)
                made[:, :, row, column] = values.max(-1)
            else:
                made[:, :, row, column] = values.sum(-1) / self.divisor(row, column)
        return made

    def backward(self, error: Array) -> Array:
        back = np.zeros(self.size)
        for row, column in self.places():
            for number, (y, at, _, _) in enumerate(self.cells(row, column)):
                here = error[:, :, row, column]
                if self.how == "MAX":
                    back[:, :, y, at] += here * (self.taken[row, column] == number)
                else:
                    back[:, :, y, at] += here / self.divisor(row, column)
        return back


class LocalResponse:
    weights: tuple[Array, ...] | list[Array] = ()
    gradients: tuple[Array, ...] | list[Array] = ()

    def __init__(self, shape: Any, size: int, alpha: float, beta: float, k: float) -> None:
        self.out, self.size, self.alpha, self.beta, self.k = shape, size, alpha, beta, k

    def near(self, channel: int) -> slice:
        return slice(max(0, channel - self.size // 2), channel + self.size // 2 + 1)

    def forward(self, x: Array) -> Array:
        sums = np.stack([(x[:, self.near(c)] ** 2).sum(1) for c in range(x.shape[1])], axis=1)
        self.x, self.scale = x, self.k + self.alpha / self.size * sums
        return x * self.scale**-self.beta

    def backward(self, error: Array) -> Array:
        inner = error * self.x * self.scale ** (-self.beta - 1)
        sums = np.stack([inner[:, self.near(c)].sum(1) for c in range(inner.shape[1])], axis=1)
        return (
            error * self.scale**-self.beta - 2 * self.alpha * self.beta / self.size * self.x * sums
        )


FUNCTIONS: dict[str, tuple[Any, Any]] = {
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda x, y: y * (1 - y)),
    "relu": (lambda x: np.maximum(x, 0), lambda x, y: (x >= 0) * 1.0),
    "tanh": (np.tanh, lambda x, y: 1 - y**2),
    "pow": (lambda x: x**2, lambda x, y: 2 * x),
    "abs": (np.abs, lambda x, y: np.sign(x)),
    "identity": (lambda x: x, lambda x, y: np.ones_like(x)),
}


class Activation:
    weights: tuple[Array, ...] | list[Array] = ()
    gradients: tuple[Array, ...] | list[Array] = ()

    def __init__(self, shape: Any, name: str) -> None:
        self.out, (self.function, self.derivative) = shape, FUNCTIONS[name]

    def forward(self, x: Array) -> Array:
        self.x, self.y = x, self.function(x)
        return self.y

    def backward(self, error: Array) -> Array:
        return error * self.derivative(self.x, self.y)


class Reference:
    """A network with its weights: forward, errors, and one step of plain SGD."""

    def __init__(self, shape: tuple[int, ...], spec: Any, dialect: str, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.layers: list[Any] = []
        now: Any = shape if len(shape) != 2 else (1, *shape)
        for kind, *rest in spec[:-1]:
            if kind == "fc":
                layer: Any = FullyConnected(now, rest[0], random)
            elif kind == "conv":
                layer = Convolution(now, *rest, random, dialect == "C")
            elif kind == "pool":
                layer = Pooling(now, *rest)
            elif kind == "lrn":
                layer = LocalResponse(now, *rest)
            else:
                layer = Activation(now, rest[0])
            self.layers.append(layer)
            now = layer.out
        self.ending = spec[-1][1]

    def forward(self, x: Array) -> list[Array]:
        """Return the activations of all layers."""
        made = []
        for layer in self.layers:
            x = layer.forward(x)
            made.append(x)
        logits = x.reshape(len(x), -1)
        if self.ending == "sigmoid":
            return [*made, 1 / (1 + np.exp(-logits))]
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return [*made, powers / powers.sum(1, keepdims=True)]

    def backward(self, output: Array, labels: Array) -> list[Array]:
        """Return the error of each layer's output but the last; that of logits is output minus one-hot."""
        error = output - np.eye(output.shape[1])[labels]
        found = []
        for layer in reversed(self.layers):
            error = error.reshape(len(error), *layer.out)
            found.append(error)
            error = layer.backward(error)
        return found[::-1]

    def step(self, x: Array, labels: Array, rate: float) -> None:
        self.backward(self.forward(x)[-1], labels)
        for layer in self.layers:
            layer.weights = [
                weight - rate * gradient
                for weight, gradient in zip(layer.weights, layer.gradients, strict=True)
            ]


def text_of(
    shape: tuple[int, ...], spec: Any, dialect: str, batch: int = 3, rate: float = 0.1
) -> str:
    """Return the prototxt of a network in dialect A, B, C or D."""
    lines = [f"batch_size: {batch}", f"{'step_size' if dialect == 'D' else 'stepsize'}: {rate}"]
    lines.append("input_shape { " + " ".join(f"dim: {side}" for side in shape) + " }")
    if dialect != "D":
        lines.append('parameter_provider { type: "local" }')
    sizes = Reference(shape, spec, dialect)
    now = math.prod(shape)
    made = [*(math.prod(layer.out) for layer in sizes.layers)]
    made.append(made[-1])
    initial = "init_weight: 0.1 init_bias: 0.2"
    skip = False
    for number, ((kind, *rest), size) in enumerate(zip(spec, made, strict=True)):
        if skip:
            skip, now = False, size
            continue
        old = f"num_input: {now} num_output: {size} " if dialect in "AB" else ""
        if kind == "fc":
            new = f" num_output: {size}" if dialect in "CD" else ""
            if dialect == "A":
                new, skip = f' activation_function: "{spec[number + 1][1]}"', True
            body = f'"FullyConnected" {old}fully_connected_param {{ {initial}{new} }}'
        elif kind == "act":
            body = f'"Activation" {old}activation_param {{ activation_function: "{rest[0]}" }}'
        elif kind == "loss":
            body = f'"ActivationWithLoss" {old}activation_with_loss_param {{ activation_function: "{rest[0]}" '
            body += 'loss_function: "crossentropy" }'
        elif kind == "lrn":
            named = zip(("local_size", "alpha", "beta", "k"), rest, strict=True)
            body = (
                '"LRN" lrn_param { ' + " ".join(f"{name}: {value}" for name, value in named) + " }"
            )
        else:
            head, *window = rest
            words = [
                f"{name}_{side}: {value}"
                for name, pair in zip(("kernel", "padding", "stride"), window, strict=True)
                for side, value in zip(("height", "width"), pair, strict=True)
            ]
            name = "Pooling" if kind == "pool" else "Convolutional"
            own = f'pooling_type: "{head}"' if kind == "pool" else f"num_output: {head} {initial}"
            body = f'"{name}" {name.lower()}_param {{ {own} {" ".join(words)} }}'
        lines.append(f"layer {{ type: {body} }}")
        now = size
    return "\n".join(lines) + "\n"
