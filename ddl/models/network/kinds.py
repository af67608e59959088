"""The table of layer kinds that network files may have. No TensorFlow.

A kind says which class of `keras.layers` it becomes, which settings it takes, what it makes of its input's shape, and
which weights it has. What Keras 3 has under another name, or not as a layer, is translated here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ddl.models.network import settings as to
from ddl.models.network import shapes
from ddl.models.network import weights as of
from ddl.models.network.shapes import Settings, Shape
from ddl.models.network.weights import Weight

REQUIRED = object()
"""Default of a setting that a file must give."""

KERAS = object()
"""Default of a setting that is left to Keras."""

Row = tuple[to.Converter, Any]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of layers.

    Attributes:
        layer: its class in `keras.layers`.
        rows: setting -> its converter and its default.
        neutral: setting that Keras 3 refuses -> whether a value of it changes nothing.
        names: setting in the file -> its name in Keras 3.
        fixed: settings that the kind implies.
        unsent: settings that are checked, but that the constructor does not get.
        axes: the input's number of sides, without its channels; None for any.
        shape: settings and the inputs' shapes -> the output's shape.
        weights: settings and the input's shape -> the weights.
        merges: whether it takes several inputs.
        spreads: whether a kernel is used once for each place of the input, not of the output.
    """

    layer: str
    rows: Mapping[str, Row] = field(default_factory=dict)
    neutral: Mapping[str, Callable[[Any], bool]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    unsent: tuple[str, ...] = ()
    axes: int | None = None
    shape: Callable[[Settings, Sequence[Shape]], Shape] = shapes.same
    weights: Callable[[Settings, Shape], list[Weight]] = of.none
    merges: bool = False
    spreads: bool = False


def _weighted(*names: str) -> dict[str, Row]:
    """Return the settings of weights: kernel_initializer, kernel_regularizer, kernel_constraint, ..."""
    rows: dict[str, Row] = {}
    for name in names:
        rows[f"{name}_initializer"] = (to.initializer, KERAS)
        rows[f"{name}_regularizer"] = (to.regularizer, KERAS)
        rows[f"{name}_constraint"] = (to.constraint, KERAS)
    return rows


_ENDS: dict[str, Row] = {
    "activation": (to.activation, "linear"),
    "use_bias": (to.flag, True),
    "activity_regularizer": (to.regularizer, KERAS),
}
_ONE_GROUP = to.equals(1)
_UNUSED_KERNEL = {
    "kernel_initializer": to.is_default_initializer,
    "kernel_regularizer": to.is_null,
    "kernel_constraint": to.is_null,
}
"""What the depthwise kinds of Keras 2 inherited and did not use."""


def _conv(axes: int) -> dict[str, Row]:
    paddings = ("valid", "same", "causal") if axes == 1 else ("valid", "same")
    return {
        "kernel_size": (to.sides(axes), REQUIRED),
        "strides": (to.sides(axes), (1,) * axes),
        "padding": (to.one_of(*paddings), "valid"),
        "dilation_rate": (to.sides(axes), (1,) * axes),
        **_ENDS,
    }


def _by_depth(axes: int) -> dict[str, Row]:
    return {
        **_conv(axes),
        "depth_multiplier": (to.whole(), 1),
        **_weighted("depthwise", "bias"),
    }


def _kinds_of(axes: int) -> dict[str, Kind]:
    """Return the kinds that exist for pictures of one, two and three sides."""
    filters: dict[str, Row] = {"filters": (to.whole(), REQUIRED)}
    pooling: dict[str, Row] = {
        "pool_size": (to.sides(axes), (2,) * axes),
        "strides": (to.optional(to.sides(axes)), None),
        "padding": (to.one_of("valid", "same"), "valid"),
    }
    keepdims: dict[str, Row] = {"keepdims": (to.flag, False)}
    dropout: dict[str, Row] = {"rate": (to.rate, REQUIRED), "seed": (_SEED, KERAS)}
    edges = to.edges(axes)
    found = {
        "Conv{}D": Kind(
            layer="Conv{}D",
            rows={
                **filters,
                **_conv(axes),
                "groups": (to.whole(), 1),
                **_weighted("kernel", "bias"),
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
                **_weighted("kernel", "bias"),
            },
            neutral={"groups": _ONE_GROUP},
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
            neutral={"groups": _ONE_GROUP, **_UNUSED_KERNEL},
            shape=shapes.convolved_by_depth,
            weights=of.depthwise if axes < 3 else of.grouped,
        ),
    }
    if axes < 3:
        found["SeparableConv{}D"] = Kind(
            layer="SeparableConv{}D",
            rows={**filters, **_by_depth(axes), **_weighted("pointwise")},
            neutral={"groups": _ONE_GROUP, **_UNUSED_KERNEL},
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


_SEED = to.optional(to.whole(0))
_NORM: dict[str, Row] = {
    "center": (to.flag, True),
    "scale": (to.flag, True),
    **_weighted("beta", "gamma"),
}
_MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
_AS_ACTIVATION = {
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Swish": "silu",
    "Log_Softmax": "log_softmax",
}


def _others() -> dict[str, Kind]:
    """Return the kinds that take any number of sides."""
    rate: Row = (to.rate, REQUIRED)
    return {
        "Dense": Kind(
            layer="Dense",
            rows={"units": (to.whole(), REQUIRED), **_ENDS, **_weighted("kernel", "bias")},
            neutral={
                "lora_rank": to.is_null,
                "lora_alpha": to.is_null,
                "quantization_config": to.is_null,
            },
            shape=shapes.dense,
            weights=of.dense,
        ),
        "BatchNormalization": Kind(
            layer="BatchNormalization",
            rows={
                "axis": (to.axis, -1),
                "momentum": (to.number(0, 1), 0.99),
                "epsilon": (to.number(0), 1e-3),
                **_NORM,
                "moving_mean_initializer": (to.initializer, KERAS),
                "moving_variance_initializer": (to.initializer, KERAS),
            },
            neutral={
                "renorm": to.equals(False),
                "renorm_clipping": to.is_null,
                "renorm_momentum": lambda _: True,  # of renorm
                "fused": to.equals(None, True, False),
                "virtual_batch_size": to.is_null,
                "adjustment": to.is_null,
                "mode": to.equals(0),
                "synchronized": to.equals(False, True),  # the model option `norm` decides
            },
            unsent=("axis",),
            shape=shapes.channels_last,
            weights=of.batch_norm,
        ),
        "LayerNormalization": Kind(
            layer="LayerNormalization",
            rows={"axis": (to.axes, (-1,)), "epsilon": (to.number(0), 1e-3), **_NORM},
            neutral={"rms_scaling": to.equals(False)},
            shape=shapes.normalized,
            weights=of.layer_norm,
        ),
        "GroupNormalization": Kind(
            layer="GroupNormalization",
            rows={
                "groups": (to.whole(-1), 32),
                "axis": (to.axis, -1),
                "epsilon": (to.number(0), 1e-3),
                **_NORM,
            },
            unsent=("axis",),
            shape=shapes.channels_last,
            weights=of.norm,
        ),
        # torch's: neither scale nor shift by default. `affine` means both.
        "InstanceNormalization": Kind(
            layer="GroupNormalization",
            rows={
                "axis": (to.axis, -1),
                "epsilon": (to.number(0), 1e-5),
                **_NORM,
                "affine": (to.flag, None),
                "center": (to.flag, None),
                "scale": (to.flag, None),
            },
            neutral={
                "track_running_stats": to.equals(False),
                "momentum": lambda _: True,  # of running statistics, which there are none of
                "groups": to.equals(-1),
            },
            fixed={"groups": -1},
            unsent=("axis", "affine"),
            shape=shapes.channels_last,
            weights=of.norm,
        ),
        "Activation": Kind(
            layer="Activation",
            rows={"activation": (to.activation, REQUIRED), "axis": (to.axis, -1)},
            unsent=("axis",),
            shape=shapes.channels_or_first,
        ),
        **{
            name: Kind(
                layer="Activation",
                rows={"axis": (to.axis, -1)},
                fixed={"activation": activation},
                unsent=("axis",),
                shape=shapes.channels_or_first,
            )
            for name, activation in _AS_ACTIVATION.items()
        },
        "Softmax": Kind(
            layer="Softmax",
            rows={"axis": (to.axes, (-1,))},
            shape=shapes.normalized,
        ),
        "ReLU": Kind(
            layer="ReLU",
            rows={
                "max_value": (to.optional(to.number(0)), None),
                "negative_slope": (to.number(), 0.0),
                "threshold": (to.number(), 0.0),
            },
        ),
        "LeakyReLU": Kind(
            layer="LeakyReLU",
            rows={"negative_slope": (to.number(0), 0.3)},
            names={"alpha": "negative_slope"},
        ),
        "ELU": Kind(layer="ELU", rows={"alpha": (to.number(), 1.0)}),
        "PReLU": Kind(
            layer="PReLU",
            rows={"shared_axes": (to.optional(to.axes), None), **_weighted("alpha")},
            shape=shapes.same,
            weights=of.prelu,
        ),
        **{name: Kind(layer=name, shape=shapes.merged, merges=True) for name in _MERGES},
        "Concatenate": Kind(
            layer="Concatenate", rows={"axis": (to.axis, -1)}, shape=shapes.joined, merges=True
        ),
        "Dropout": Kind(
            layer="Dropout",
            rows={
                "rate": rate,
                "seed": (_SEED, KERAS),
                "noise_shape": (to.optional(_NOISE), KERAS),
            },
        ),
        "GaussianDropout": Kind(
            layer="GaussianDropout", rows={"rate": rate, "seed": (_SEED, KERAS)}
        ),
        "AlphaDropout": Kind(
            layer="AlphaDropout",
            rows={
                "rate": rate,
                "seed": (_SEED, KERAS),
                "noise_shape": (to.optional(_NOISE), KERAS),
            },
        ),
        "GaussianNoise": Kind(
            layer="GaussianNoise",
            rows={"stddev": (to.number(0), REQUIRED), "seed": (_SEED, KERAS)},
        ),
        "ActivityRegularization": Kind(
            layer="ActivityRegularization",
            rows={"l1": (to.number(0), 0.0), "l2": (to.number(0), 0.0)},
        ),
        "Rescaling": Kind(
            layer="Rescaling",
            rows={"scale": (to.numbers, REQUIRED), "offset": (to.numbers, 0.0)},
        ),
        "Flatten": Kind(layer="Flatten", shape=shapes.flattened),
        "Reshape": Kind(
            layer="Reshape", rows={"target_shape": (to.wholes, REQUIRED)}, shape=shapes.reshaped
        ),
        "Permute": Kind(
            layer="Permute", rows={"dims": (to.wholes, REQUIRED)}, shape=shapes.permuted
        ),
        "RepeatVector": Kind(
            layer="RepeatVector", rows={"n": (to.whole(), REQUIRED)}, axes=0, shape=shapes.repeated
        ),
    }


def _NOISE(value: Any) -> tuple[int | None, ...]:  # noqa: N802 (a converter beside `_SEED`)
    """Return the shape of a dropout's mask, batch first."""
    if not isinstance(value, list | tuple):
        raise to.Wrong("a list of whole numbers or null")
    return tuple(to.optional(to.whole(-1))(item) for item in value)


KINDS: dict[str, Kind] = {
    **{name: kind for axes in (1, 2, 3) for name, kind in _kinds_of(axes).items()},
    **_others(),
}
"""Name of a kind -> what it is. `InputLayer` is none: it is the network's input."""

_PLAIN = {name.lower().replace("_", ""): name for name in KINDS}
_ALIASES = {
    "convolution1d": "Conv1D",
    "convolution2d": "Conv2D",
    "convolution3d": "Conv3D",
    "convolution2dtranspose": "Conv2DTranspose",
    "convolution3dtranspose": "Conv3DTranspose",
    "deconvolution2d": "Conv2DTranspose",
    "separableconvolution1d": "SeparableConv1D",
    "separableconvolution2d": "SeparableConv2D",
    **{f"globalavgpool{axes}d": f"GlobalAveragePooling{axes}D" for axes in (1, 2, 3)},
    **{f"globalmaxpool{axes}d": f"GlobalMaxPooling{axes}D" for axes in (1, 2, 3)},
    **{f"avgpool{axes}d": f"AveragePooling{axes}D" for axes in (1, 2, 3)},
    **{f"maxpool{axes}d": f"MaxPooling{axes}D" for axes in (1, 2, 3)},
    **{
        f"batchnormalization{version}": "BatchNormalization" for version in ("v1", "v2", "v3")
    },  # names of TensorFlow 1.14 and 2.0
    "syncbatchnormalization": "BatchNormalization",
    "silu": "Swish",
}


def find_kind(class_name: Any) -> str | None:
    """Return the kind of a class name, in any case; without the package that a writer puts in front of it."""
    if not isinstance(class_name, str):
        return None
    plain = class_name.rpartition(">")[2].lower().replace("_", "")
    return _PLAIN.get(plain) or _ALIASES.get(plain)
