"""Kinds of layers that exist for pictures of one, two and three sides: convolutions, poolings, ... No TensorFlow."""

from __future__ import annotations

from dataclasses import replace

from ddl.models.network.kinds import settings as to
from ddl.models.network.kinds import shapes
from ddl.models.network.kinds import weights as of
from ddl.models.network.kinds.kind import (
    ENDS,
    KERAS,
    ONE_GROUP,
    REQUIRED,
    SEED,
    UNUSED_KERNEL,
    Kind,
    Row,
    weighted,
)


def kinds_of(axes: int) -> dict[str, Kind]:
    """Return the kinds for pictures of so many sides: 1, 2 or 3."""
    found = {**_convolutions(axes), **_resizing(axes), **_poolings(axes)}
    rate: dict[str, Row] = {"rate": (to.rate, REQUIRED), "seed": (SEED, KERAS)}
    found["SpatialDropout"] = Kind(layer="SpatialDropout", rows=rate)
    return {_named(name, axes): _sided(kind, axes) for name, kind in found.items()}


def _named(name: str, axes: int) -> str:
    """Return Conv3DTranspose for ConvTranspose."""
    stem, is_transposed, _ = name.partition("Transpose")
    return f"{stem}{axes}D{is_transposed}"


def _sided(kind: Kind, axes: int) -> Kind:
    return replace(kind, layer=_named(kind.layer, axes), axes=axes)


def _window(axes: int) -> dict[str, Row]:
    """Return the settings of every convolution."""
    paddings = ("valid", "same", "causal") if axes == 1 else ("valid", "same")
    return {
        "kernel_size": (to.sides(axes), REQUIRED),
        "strides": (to.sides(axes), (1,) * axes),
        "padding": (to.one_of(*paddings), "valid"),
        "dilation_rate": (to.sides(axes), (1,) * axes),
        **ENDS,
    }


_FILTERS: dict[str, Row] = {"filters": (to.whole(), REQUIRED)}
_UNUSED = {"groups": ONE_GROUP, **UNUSED_KERNEL}


def _convolutions(axes: int) -> dict[str, Kind]:
    window = _window(axes)
    by_depth = {**window, "depth_multiplier": (to.whole(), 1), **weighted("depthwise", "bias")}
    found = {
        "Conv": Kind(
            layer="Conv",
            rows={**_FILTERS, **window, "groups": (to.whole(), 1), **weighted("kernel", "bias")},
            shape=shapes.convolved,
            weights=of.convolution,
        ),
        "ConvTranspose": Kind(
            layer="ConvTranspose",
            rows={
                **_FILTERS,
                **window,
                "padding": (to.one_of("valid", "same"), "valid"),
                "output_padding": (to.optional(to.sides(axes, 0)), None),
                **weighted("kernel", "bias"),
            },
            neutral={"groups": ONE_GROUP},
            shape=shapes.transposed,
            weights=of.transposed,
            spreads=True,
        ),
        # Keras has no depthwise convolution of volumes: the builder takes one with a group for each channel.
        "DepthwiseConv": Kind(
            layer="DepthwiseConv" if axes < 3 else "Conv",
            rows=by_depth,
            neutral=_UNUSED,
            shape=shapes.convolved_by_depth,
            weights=of.depthwise if axes < 3 else of.grouped,
        ),
    }
    if axes < 3:
        found["SeparableConv"] = Kind(
            layer="SeparableConv",
            rows={**_FILTERS, **by_depth, **weighted("pointwise")},
            neutral=_UNUSED,
            shape=shapes.convolved,
            weights=of.separable,
        )
    return found


def _resizing(axes: int) -> dict[str, Kind]:
    edges, uncropped = to.edges(axes), (0, 0) if axes == 2 else (1, 1)
    enlarging: dict[str, Row] = {"size": (to.sides(axes), (2,) * axes)}
    if axes == 2:
        modes = to.one_of("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
        enlarging["interpolation"] = (modes, "nearest")
    return {
        "UpSampling": Kind(layer="UpSampling", rows=enlarging, shape=shapes.enlarged),
        "ZeroPadding": Kind(
            layer="ZeroPadding", rows={"padding": (edges, ((1, 1),) * axes)}, shape=shapes.padded
        ),
        "Cropping": Kind(
            layer="Cropping", rows={"cropping": (edges, (uncropped,) * axes)}, shape=shapes.cropped
        ),
    }


def _poolings(axes: int) -> dict[str, Kind]:
    windowed: dict[str, Row] = {
        "pool_size": (to.sides(axes), (2,) * axes),
        "strides": (to.optional(to.sides(axes)), None),
        "padding": (to.one_of("valid", "same"), "valid"),
    }
    keepdims: dict[str, Row] = {"keepdims": (to.flag, False)}
    found = {}
    for what in ("Max", "Average"):
        name, whole = f"{what}Pooling", f"Global{what}Pooling"
        found[name] = Kind(layer=name, rows=windowed, shape=shapes.pooled)
        found[whole] = Kind(layer=whole, rows=keepdims, shape=shapes.pooled_globally)
    return found
