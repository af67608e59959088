"""Kinds of layers that exist for pictures of one, two and three sides: convolutions, poolings, ... No TensorFlow."""

from __future__ import annotations

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


def _conv(axes: int) -> dict[str, Row]:
    paddings = ("valid", "same", "causal") if axes == 1 else ("valid", "same")
    return {
        "kernel_size": (to.sides(axes), REQUIRED),
        "strides": (to.sides(axes), (1,) * axes),
        "padding": (to.one_of(*paddings), "valid"),
        "dilation_rate": (to.sides(axes), (1,) * axes),
        **ENDS,
    }


def _by_depth(axes: int) -> dict[str, Row]:
    return {
        **_conv(axes),
        "depth_multiplier": (to.whole(), 1),
        **weighted("depthwise", "bias"),
    }


def kinds_of(axes: int) -> dict[str, Kind]:
    """Return the kinds that exist for pictures of one, two and three sides."""
    filters: dict[str, Row] = {"filters": (to.whole(), REQUIRED)}
    pooling: dict[str, Row] = {
        "pool_size": (to.sides(axes), (2,) * axes),
        "strides": (to.optional(to.sides(axes)), None),
        "padding": (to.one_of("valid", "same"), "valid"),
    }
    keepdims: dict[str, Row] = {"keepdims": (to.flag, False)}
    dropout: dict[str, Row] = {"rate": (to.rate, REQUIRED), "seed": (SEED, KERAS)}
    edges = to.edges(axes)
    found = {
        "Conv{}D": Kind(
            layer="Conv{}D",
            rows={
                **filters,
                **_conv(axes),
                "groups": (to.whole(), 1),
                **weighted("kernel", "bias"),
            },
            shape=shapes.convolved,
            weights=of.convolution,
        ),
        "Conv{}DTranspose": Kind(
            layer="Conv{}DTranspose",
            rows={
                **filters,
                **_conv(axes),
                "padding": (to.one_of("valid", "same"), "valid"),
                "output_padding": (to.optional(to.sides(axes, 0)), None),
                **weighted("kernel", "bias"),
            },
            neutral={"groups": ONE_GROUP},
            shape=shapes.transposed,
            weights=of.transposed,
            spreads=True,
        ),
        "UpSampling{}D": Kind(
            layer="UpSampling{}D",
            rows={"size": (to.sides(axes), (2,) * axes)},
            shape=shapes.enlarged,
        ),
        "ZeroPadding{}D": Kind(
            layer="ZeroPadding{}D",
            rows={"padding": (edges, ((1, 1),) * axes)},
            shape=shapes.padded,
        ),
        "Cropping{}D": Kind(
            layer="Cropping{}D",
            rows={"cropping": (edges, ((1, 1) if axes != 2 else (0, 0),) * axes)},
            shape=shapes.cropped,
        ),
        "SpatialDropout{}D": Kind(layer="SpatialDropout{}D", rows=dropout),
        **{
            f"{what}Pooling{{}}D": Kind(
                layer=f"{what}Pooling{{}}D", rows=pooling, shape=shapes.pooled
            )
            for what in ("Max", "Average")
        },
        **{
            f"Global{what}Pooling{{}}D": Kind(
                layer=f"Global{what}Pooling{{}}D", rows=keepdims, shape=shapes.pooled_globally
            )
            for what in ("Max", "Average")
        },
        "DepthwiseConv{}D": Kind(
            # Keras has none for volumes: a convolution with a group for each channel, see `for_keras`.
            layer="DepthwiseConv{}D" if axes < 3 else "Conv3D",
            rows=_by_depth(axes),
            neutral={"groups": ONE_GROUP, **UNUSED_KERNEL},
            shape=shapes.convolved_by_depth,
            weights=of.depthwise if axes < 3 else of.grouped,
        ),
    }
    if axes < 3:
        found["SeparableConv{}D"] = Kind(
            layer="SeparableConv{}D",
            rows={**filters, **_by_depth(axes), **weighted("pointwise")},
            neutral={"groups": ONE_GROUP, **UNUSED_KERNEL},
            shape=shapes.convolved,
            weights=of.separable,
        )
    named = {name.format(axes): _formatted(kind, axes) for name, kind in found.items()}
    if axes == 2:
        modes = to.one_of("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
        upsampling = named["UpSampling2D"]
        named["UpSampling2D"] = Kind(
            layer="UpSampling2D",
            rows={**upsampling.rows, "interpolation": (modes, "nearest")},
            axes=2,
            shape=shapes.enlarged,
        )
    return named


def _formatted(kind: Kind, axes: int) -> Kind:
    return Kind(**{**vars(kind), "layer": kind.layer.format(axes), "axes": axes})
