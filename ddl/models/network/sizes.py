"""Which input sizes a network accepts, found by trying: what it divides by, its least side, or its only size."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ddl.models.network.inference import infer
from ddl.models.network.kinds.shapes import Shape, by
from ddl.models.network.nodes import Network
from ddl.models.sides import Sides

_MORE_TRIED = 4
"""Multiples after the least one that must fit, too."""

_LARGEST = 512
_NEEDS_SIZE = ("bilinear", "bicubic", "lanczos3", "lanczos5")
"""Interpolations that Keras computes only for a known size."""


@functools.lru_cache(maxsize=64)
def network_sides(network: Network) -> Sides:
    """Return the input sizes that a network accepts."""
    *sides, channels = network.input_shape
    found = _multiple(network) if sides and not network.is_fixed else None
    if found is None:
        size = tuple(side for side in sides if side is not None)
        whole = size if len(size) == len(sides) else None
        return Sides(axes=(len(sides),), is_fixed=True, size=whole, channels=channels)
    unit, least = found
    is_fixed = any(node.settings.get("interpolation") in _NEEDS_SIZE for node in network.nodes)
    return Sides(unit, least, (len(sides),), is_fixed, channels=channels)


def check_input(network: Network, shape: Shape) -> None:
    """Refuse an input that the network cannot take.

    Raises:
        ValueError: the message says what it takes.
    """
    needed = network_sides(network)
    *sides, channels = shape
    least, is_open = max(needed.multiple, needed.least), None in sides
    fits = (
        len(sides) in needed.axes
        and channels == needed.channels
        and not (is_open and needed.is_fixed)
        and (needed.size is None or tuple(sides) == needed.size)
        and all(side is None or (side >= least and side % needed.multiple == 0) for side in sides)
    )
    if not fits and shape != network.input_shape:
        what = by((*needed.size, channels)) if needed.size else "other sides"
        if needed.multiple > 1:
            what = f"sides that {needed.multiple} divides, of at least {least}"
        raise ValueError(
            f"Received: input_shape={by(shape)} for {network.origin}, which is built for {by(network.input_shape)}. "
            f"Expected: {what}, and {needed.channels} channels."
        )


def own_sides(network: Network) -> tuple[int, ...]:
    """Return the sides of the network's input, with a size that fits in place of open ones."""
    size = max(64, 2 * _total_stride(network))
    return tuple(side or size for side in network.input_shape[:-1])


@dataclass(frozen=True)
class _Form:
    """What must be the same at every size: the weights, and the output's sides in relation to the input's."""

    weights: list[Any]
    ratios: list[Fraction]


def _multiple(network: Network) -> tuple[int, int] | None:
    """Return what all sides must be divisible by, and their least length; None where only the file's size fits."""
    stride = _total_stride(network)
    own = own_sides(network)
    form = _form(network, own)
    if form is None:
        return None
    known = [side for side in network.input_shape[:-1] if side is not None]
    axes = len(own)
    for unit in (number for number in range(1, stride + 1) if stride % number == 0):
        if any(side % unit for side in known):
            return None
        tried = range(unit, max(_LARGEST, 4 * unit) + 1, unit)
        least = next((side for side in tried if _form(network, (side,) * axes) == form), None)
        if least is None:
            continue
        later = range(least + unit, least + (_MORE_TRIED + 1) * unit, unit)
        if all(_form(network, (side,) * axes) == form for side in later):
            return unit, least
    return None


def _form(network: Network, sides: tuple[int, ...]) -> _Form | None:
    """Return the form at an input of this size, None if it cannot be the input."""
    shape = (*sides, network.input_shape[-1])
    try:
        layers = infer(network, shape)
    except ValueError:
        return None
    *ends, _ = layers[-1].shape
    if network.layout is not None:  # positions grow with the area
        return _Form(
            [layer.weights for layer in layers], [Fraction(math.prod(sides), ends[0] or 1)]
        )
    if len(ends) not in (0, len(sides)) or None in ends:
        return None
    ratios = [Fraction(side, end or 1) for side, end in zip(sides, ends, strict=False)]
    return _Form([layer.weights for layer in layers], ratios)


def _total_stride(network: Network) -> int:
    """Return by how much the network shrinks its input at most: the least common multiple of all its nodes'."""
    scale = {network.input: Fraction(1)}
    found = 1
    for node in network.nodes:
        down = max(node.settings.get("strides") or node.settings.get("pool_size") or (1,))
        factor = Fraction(1, down)
        if node.of_kind.spreads:
            factor = Fraction(down)
        elif node.kind.startswith("UpSampling"):
            factor = Fraction(max(node.settings["size"]))
        scale[node.name] = min(scale[name] for name in node.inputs) * factor
        found = math.lcm(found, scale[node.name].denominator)
    return found
