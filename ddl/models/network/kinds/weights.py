"""Names and shapes of a layer's weights, in the order in which Keras keeps them. No TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass

from ddl.models.network.kinds.shapes import Settings, Shape, channels_of, places


@dataclass(frozen=True)
class Weight:
    """A weight of a layer: its name in Keras 3, its shape, and whether training changes it."""

    name: str
    shape: tuple[int, ...]
    trains: bool = True


def none(_: Settings, __: Shape) -> list[Weight]:
    """Return no weights."""
    return []


def _with_bias(settings: Settings, count: int, *kernels: Weight) -> list[Weight]:
    return [*kernels, *([Weight("bias", (count,))] if settings["use_bias"] else [])]


def convolution(settings: Settings, shape: Shape) -> list[Weight]:
    """Return those of a convolution."""
    inputs, filters = channels_of(shape) // settings["groups"], settings["filters"]
    kernel = Weight("kernel", (*settings["kernel_size"], inputs, filters))
    return _with_bias(settings, filters, kernel)


def transposed(settings: Settings, shape: Shape) -> list[Weight]:
    """Return those of a transposed convolution."""
    filters = settings["filters"]
    kernel = Weight("kernel", (*settings["kernel_size"], filters, channels_of(shape)))
    return _with_bias(settings, filters, kernel)


def depthwise(settings: Settings, shape: Shape) -> list[Weight]:
    """Return those of a depthwise convolution."""
    inputs, factor = channels_of(shape), settings["depth_multiplier"]
    kernel = Weight("kernel", (*settings["kernel_size"], inputs, factor))
    return _with_bias(settings, inputs * factor, kernel)


def grouped(settings: Settings, shape: Shape) -> list[Weight]:
    """Return those of a convolution with a group for each channel."""
    filters = channels_of(shape) * settings["depth_multiplier"]
    return _with_bias(settings, filters, Weight("kernel", (*settings["kernel_size"], 1, filters)))


def separable(settings: Settings, shape: Shape) -> list[Weight]:
    """Return those of a separable convolution."""
    inputs, factor, filters = (
        channels_of(shape),
        settings["depth_multiplier"],
        settings["filters"],
    )
    ones = (1,) * len(settings["kernel_size"])
    return _with_bias(
        settings,
        filters,
        Weight("depthwise_kernel", (*settings["kernel_size"], inputs, factor)),
        Weight("pointwise_kernel", (*ones, inputs * factor, filters)),
    )


def dense(settings: Settings, shape: Shape) -> list[Weight]:
    """Return those of a matrix product."""
    units = settings["units"]
    return _with_bias(settings, units, Weight("kernel", (channels_of(shape), units)))


def norm(settings: Settings, shape: Shape) -> list[Weight]:
    """Return scale and shift of each channel."""
    size = (channels_of(shape),)
    named = (("gamma", settings["scale"]), ("beta", settings["center"]))
    return [Weight(name, size) for name, present in named if present]


def batch_norm(settings: Settings, shape: Shape) -> list[Weight]:
    """Return scale, shift and moving statistics of each channel."""
    size = (channels_of(shape),)
    moving = [Weight(f"moving_{name}", size, trains=False) for name in ("mean", "variance")]
    return [*norm(settings, shape), *moving]


def layer_norm(settings: Settings, shape: Shape) -> list[Weight]:
    """Return scale and shift of each value along the normalized axes."""
    size = tuple(channels_of((shape[place],)) for place in places(settings["axis"], shape))
    named = (("gamma", settings["scale"]), ("beta", settings["center"]))
    return [Weight(name, size) for name, present in named if present]


def prelu(settings: Settings, shape: Shape) -> list[Weight]:
    """Return the slope of each value, or of each channel."""
    shared = set(places(settings["shared_axes"] or (), shape))
    size = tuple(1 if at in shared else channels_of((side,)) for at, side in enumerate(shape))
    return [Weight("alpha", size)]
