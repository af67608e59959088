"""Converters of a layer's settings: from the words of network files to those of Keras 3. No TensorFlow.

Each takes a JSON value, returns what Keras 3's constructor takes, and raises `Wrong` with what is expected.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from ddl.ranges import did_you_mean

Converter = Callable[[Any], Any]


class Wrong(ValueError):
    """A value is refused; the message is what is expected instead."""


def unwrapped(value: Any) -> Any:
    """Return a value without the forms in which old writers store tuples and NumPy arrays."""
    if isinstance(value, list):
        return [unwrapped(item) for item in value]
    if not isinstance(value, dict):
        return value
    is_list = value.get("class_name") in ("__tuple__", "ListWrapper")
    if is_list and isinstance(value.get("items"), list):
        return [unwrapped(item) for item in value["items"]]
    if set(value) == {"type", "value"} and isinstance(value["type"], str):  # Keras 2.0
        return unwrapped(value["value"])
    return {key: unwrapped(item) for key, item in value.items()}


def whole(least: int = 1) -> Converter:
    """Return a converter of whole numbers."""
    return functools.partial(_whole, least=least)


def _whole(value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MOST:
        raise Wrong(f"a whole number, at least {least}")
    return value


_MOST = 2**31 - 1


def number(low: float = -math.inf, high: float = math.inf) -> Converter:
    """Return a converter of finite numbers from `low` to `high`."""
    return functools.partial(_number, low=low, high=high)


def _number(value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Wrong("a number")
    if not (math.isfinite(value) and low <= value <= high):
        ends = [f"at least {low:g}"] if math.isfinite(low) else []
        ends += [f"at most {high:g}"] if math.isfinite(high) else []
        raise Wrong(", ".join(["a number", *ends]))
    return float(value)


def rate(value: Any) -> float:
    """Return a dropout rate."""
    found = _number(value, 0, 1)
    if found == 1:
        raise Wrong("a number, at least 0, below 1")
    return found


def flag(value: Any) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise Wrong("true or false")
    return value


def optional(convert: Converter) -> Converter:
    """Return a converter that also takes null."""
    return lambda value: None if value is None else convert(value)


def one_of(*names: str) -> Converter:
    """Return a converter of names, in lower case."""

    def convert(value: Any) -> str:
        if not isinstance(value, str) or value.lower() not in names:
            raise Wrong(f"one of {', '.join(names)}")
        return value.lower()

    return convert


def sides(axes: int, least: int = 1) -> Converter:
    """Return a converter of a whole number for each axis; a single one stands for all axes."""

    def convert(value: Any) -> tuple[int, ...]:
        items = value if isinstance(value, list | tuple) else [value] * axes
        if len(items) == 1:
            items = list(items) * axes
        try:
            found = tuple(_whole(item, least) for item in items)
        except Wrong:
            found = ()
        if len(found) != axes:
            many = "" if axes == 1 else f", or {axes} of them"
            raise Wrong(f"a whole number of at least {least}{many}")
        return found

    return convert


def edges(axes: int) -> Converter:
    """Return a converter of (before, after) for each axis: from one number, one for each axis, or pairs."""

    def convert(value: Any) -> tuple[tuple[int, int], ...]:
        items = value if isinstance(value, list | tuple) else [value] * axes
        if axes == 1 and len(items) == 2:  # (before, after) of the only axis
            items = [items]
        try:
            pairs = [item if isinstance(item, list | tuple) else (item, item) for item in items]
            found = [tuple(_whole(end, 0) for end in pair) for pair in pairs]
        except Wrong:
            found = []
        if len(found) != axes or any(len(pair) != 2 for pair in found):
            raise Wrong(f"a whole number, {axes} of them, or {axes} pairs of them")
        return tuple((pair[0], pair[1]) for pair in found)

    return convert


def axis(value: Any) -> int:
    """Return the number of an axis. Files write 3 or [3]."""
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int):
        raise Wrong("the number of an axis")
    return value


def axes(value: Any) -> tuple[int, ...]:
    """Return the numbers of one or several axes."""
    items = value if isinstance(value, list | tuple) and value else [value]
    return tuple(axis(item) for item in items)


def wholes(value: Any) -> tuple[int, ...]:
    """Return whole numbers, of which one may be -1: the target of a reshape."""
    if not isinstance(value, list | tuple):
        raise Wrong("a list of whole numbers")
    if any(isinstance(item, bool) or not isinstance(item, int) for item in value):
        raise Wrong("a list of whole numbers")
    if list(value).count(-1) > 1 or any(item < 1 and item != -1 for item in value):
        raise Wrong("whole numbers of at least 1; one may be -1")
    return tuple(value)


def numbers(value: Any) -> float | list[float]:
    """Return a number or a list of them."""
    if isinstance(value, list | tuple) and value:
        return [_number(item, -math.inf, math.inf) for item in value]
    return _number(value, -math.inf, math.inf)


_ACTIVATIONS = (
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish"),
    *("sigmoid", "hard_sigmoid", "hard_silu", "log_sigmoid", "tanh", "softmax", "log_softmax"),
    *("softplus", "softsign", "exponential"),
)
_ACTIVATION_ALIASES = {
    "swish": "silu",
    "softmaxv2": "softmax",
    "logsoftmaxv2": "log_softmax",
    "hardswish": "hard_silu",
    "none": "linear",
}
_PLAIN_ACTIVATIONS = {name.replace("_", ""): name for name in _ACTIVATIONS} | _ACTIVATION_ALIASES


def activation(value: Any) -> str:
    """Return the name of a function of `keras.activations`."""
    if value is None:
        return "linear"
    if isinstance(value, dict) and value.get("class_name") == "function":
        value = value.get("config")
    if not isinstance(value, str):
        raise Wrong(f"the name of an activation, one of {', '.join(_ACTIVATIONS)}")
    found = _PLAIN_ACTIVATIONS.get(value.lower().replace("_", ""))
    if found is None:
        raise Wrong(f"one of {', '.join(_ACTIVATIONS)}.{did_you_mean(value, _ACTIVATIONS)}")
    return found


def is_null(value: Any) -> bool:
    """Return whether nothing is set."""
    return value is None


def equals(*neutral: Any) -> Callable[[Any], bool]:
    """Return whether a value is one of these."""

    def found(value: Any) -> bool:
        if isinstance(value, Sequence) and not isinstance(value, str):
            value = tuple(value)
        return any(value == one and type(value) is type(one) for one in neutral)

    return found
