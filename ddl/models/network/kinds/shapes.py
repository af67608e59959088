"""Shapes that layers make of shapes, without TensorFlow. A shape has no batch; None is a side that is not known.

Each function takes a layer's settings and the shapes of its inputs, and raises `BadShape` with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Shape = tuple[int | None, ...]
Settings = Mapping[str, Any]


class BadShape(ValueError):
    """A layer cannot take such an input; the message is why."""


def by(shape: Shape) -> str:
    """Return a shape as people write it: 28x28x1."""
    return "x".join("?" if side is None else str(side) for side in shape) or "()"


def same(_: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the input's shape."""
    return shapes[0]


def channels_of(shape: Shape) -> int:
    """Return the last side, which weights need."""
    last = shape[-1] if shape else None
    if last is None:
        raise BadShape(f"its input of {by(shape)} has no known number of channels")
    return last


def channels_last(settings: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the input's shape; refuse an `axis` that is not the last one."""
    shape, axis = shapes[0], settings["axis"]
    if axis not in (-1, len(shape)):
        raise BadShape(f"axis={axis} is not that of the channels, which come last (-1)")
    return shape


def in_groups(settings: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the input's shape; refuse groups that do not divide its channels."""
    channels, groups = channels_of(shapes[0]), settings["groups"]
    if groups > 0 and channels % groups:
        raise BadShape(f"groups={groups} do not divide its {channels} channels")
    return channels_last(settings, shapes)


def channels_or_first(settings: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the input's shape; refuse an `axis` that means the channels neither in Keras nor in torch, which has 1."""
    if settings["axis"] == 1:
        return shapes[0]
    return channels_last(settings, shapes)


def normalized(settings: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the input's shape; refuse axes that it does not have."""
    places(settings["axis"], shapes[0])
    return shapes[0]


def places(axes: Sequence[int], shape: Shape) -> list[int]:
    """Return where in a shape these axes are, which count the batch as 0."""
    found = [axis - 1 if axis > 0 else axis + len(shape) if axis < 0 else -1 for axis in axes]
    if any(not 0 <= place < len(shape) for place in found):
        raise BadShape(f"axis={','.join(map(str, axes))} is not one of an input of {by(shape)}")
    return found


def window(side: int | None, size: int, stride: int, padding: str, dilation: int = 1) -> int | None:
    """Return a side of a convolution's or a pooling's output."""
    if side is None:
        return None
    if padding != "valid":  # "same" and "causal"
        return -(-side // stride)
    reach = (size - 1) * dilation + 1
    if side < reach:
        raise BadShape(f"its window of {reach} does not fit into {side}")
    return (side - reach) // stride + 1


def _windows(settings: Settings, shape: Shape, sizes: Sequence[int]) -> list[int | None]:
    dilations = settings.get("dilation_rate") or (1,) * len(sizes)
    if max(dilations) > 1 and max(settings["strides"]) > 1:
        raise BadShape("strides and dilation_rate are both above 1, which Keras does not have")
    return [
        window(side, size, stride, settings["padding"], dilation)
        for side, size, stride, dilation in zip(
            shape[:-1], sizes, settings["strides"], dilations, strict=True
        )
    ]


def convolved(settings: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the shape of a convolution's output."""
    channels, groups = channels_of(shapes[0]), settings.get("groups", 1)
    if channels % groups or settings["filters"] % groups:
        raise BadShape(
            f"groups={groups} do not divide its {channels} channels and {settings['filters']} filters"
        )
    return (*_windows(settings, shapes[0], settings["kernel_size"]), settings["filters"])


def convolved_by_depth(settings: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the shape of a depthwise convolution's output."""
    channels = channels_of(shapes[0]) * settings["depth_multiplier"]
    return (*_windows(settings, shapes[0], settings["kernel_size"]), channels)


def transposed(settings: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the shape of a transposed convolution's output."""
    channels_of(shapes[0])
    sizes, strides = settings["kernel_size"], settings["strides"]
    added = settings["output_padding"] or (None,) * len(sizes)
    if max(settings["dilation_rate"]) > 1 and max(strides) > 1:
        raise BadShape("strides and dilation_rate are both above 1, which Keras does not have")
    sides: list[int | None] = []
    for side, size, stride, dilation, more in zip(
        shapes[0][:-1], sizes, strides, settings["dilation_rate"], added, strict=True
    ):
        reach = (size - 1) * dilation + 1
        if more is not None and more >= stride:
            raise BadShape(f"output_padding={more} is not below its stride of {stride}")
        if side is None:
            sides.append(None)
        elif settings["padding"] == "valid":
            more = max(reach, stride) - reach if more is None else more
            sides.append((side - 1) * stride + reach + more)
        elif more is None:
            sides.append(side * stride)
        else:
            sides.append((side - 1) * stride + reach % 2 + more)
    return (*sides, settings["filters"])


def pooled(settings: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the shape of a pooling's output."""
    *_, channels = shapes[0]
    settings = {**settings, "strides": settings["strides"] or settings["pool_size"]}
    return (*_windows(settings, shapes[0], settings["pool_size"]), channels)


def pooled_globally(settings: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the shape of the mean or maximum over all sides."""
    *sides, channels = shapes[0]
    return (*[1] * len(sides), channels) if settings["keepdims"] else (channels,)


def enlarged(settings: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the shape of a repeated or interpolated input."""
    *sides, channels = shapes[0]
    both = zip(sides, settings["size"], strict=True)
    return (*(None if side is None else side * factor for side, factor in both), channels)


def padded(settings: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the shape of an input with zeros around it."""
    *sides, channels = shapes[0]
    both = zip(sides, settings["padding"], strict=True)
    return (*(None if side is None else side + sum(ends) for side, ends in both), channels)


def cropped(settings: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the shape of an input without its edges."""
    *sides, channels = shapes[0]
    found: list[int | None] = []
    for side, ends in zip(sides, settings["cropping"], strict=True):
        if side is not None and side <= sum(ends):
            raise BadShape(f"it crops {sum(ends)} of a side of {side}")
        found.append(None if side is None else side - sum(ends))
    return (*found, channels)


def dense(settings: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the shape of a matrix product."""
    channels_of(shapes[0])
    return (*shapes[0][:-1], settings["units"])


def flattened(_: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the shape of all values in one row."""
    known = [side for side in shapes[0] if side is not None]
    return (math.prod(known) if len(known) == len(shapes[0]) else None,)


def reshaped(settings: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the shape of the same values in another order of sides."""
    target: tuple[int, ...] = settings["target_shape"]
    total = flattened({}, shapes)[0]
    fixed = math.prod(side for side in target if side != -1)
    if total is None:
        return tuple(None if side == -1 else side for side in target)
    if total % fixed if -1 in target else total != fixed:
        raise BadShape(f"its input of {by(shapes[0])} cannot become {by(target)}")
    return tuple(total // fixed if side == -1 else side for side in target)


def permuted(settings: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the sides in another order."""
    dims = settings["dims"]
    if sorted(dims) != list(range(1, len(shapes[0]) + 1)):
        raise BadShape(f"dims={','.join(map(str, dims))} are no order of {len(shapes[0])} sides")
    return tuple(shapes[0][place - 1] for place in dims)


def repeated(settings: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the shape of a repeated row."""
    return (settings["n"], *shapes[0])


def merged(_: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the shape of a sum, a product, ... of several inputs, of which sides of 1 are repeated."""
    longest = max(map(len, shapes))
    found: list[int | None] = []
    for place in range(-longest, 0):
        sides = {shape[place] for shape in shapes if len(shape) >= -place}
        known = sides - {None, 1}
        if len(known) > 1:
            raise BadShape(f"its inputs of {' and '.join(map(by, shapes))} differ")
        found.append(None if None in sides else next(iter(known), 1))
    return tuple(found)


def joined(settings: Settings, shapes: Sequence[Shape]) -> Shape:
    """Return the shape of several inputs side by side."""
    if len({len(shape) for shape in shapes}) > 1:
        raise BadShape(f"its inputs of {' and '.join(map(by, shapes))} differ in their sides")
    place = places([settings["axis"]], shapes[0])[0]
    found: list[int | None] = []
    for at, column in enumerate(zip(*shapes, strict=True)):
        known = [side for side in column if side is not None]
        if at == place:
            found.append(sum(known) if len(known) == len(column) else None)
            continue
        if len(set(known)) > 1:
            raise BadShape(f"its inputs of {' and '.join(map(by, shapes))} do not fit together")
        found.append(known[0] if known else None)
    return tuple(found)
