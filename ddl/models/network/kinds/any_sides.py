"""Kinds of layers that take any number of sides: dense layers, norms, activations, merges, ... No TensorFlow."""

from __future__ import annotations

from typing import Any

from ddl.models.network.kinds import parts, shapes
from ddl.models.network.kinds import settings as to
from ddl.models.network.kinds import weights as of
from ddl.models.network.kinds.kind import ENDS, KERAS, REQUIRED, SEED, Kind, Row, weighted

_NORM: dict[str, Row] = {
    "center": (to.flag, True),
    "scale": (to.flag, True),
    **weighted("beta", "gamma"),
}
_MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
_AS_ACTIVATION = {
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Swish": "silu",
    "Log_Softmax": "log_softmax",
}


def _mask_shape(value: Any) -> tuple[int | None, ...]:
    """Return the shape of a dropout's mask, batch first."""
    if not isinstance(value, list | tuple):
        raise to.Wrong("a list of whole numbers or null")
    return tuple(to.optional(to.whole(-1))(item) for item in value)


def _groups(value: Any) -> int:
    """Return a number of groups; -1 is one for each channel."""
    return -1 if value == -1 else int(to.whole()(value))


_RATE: Row = (to.rate, REQUIRED)

OTHER_KINDS: dict[str, Kind] = {
    "Dense": Kind(
        layer="Dense",
        rows={"units": (to.whole(), REQUIRED), **ENDS, **weighted("kernel", "bias")},
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
            "moving_mean_initializer": (parts.initializer, KERAS),
            "moving_variance_initializer": (parts.initializer, KERAS),
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
            "groups": (_groups, 32),
            "axis": (to.axis, -1),
            "epsilon": (to.number(0), 1e-3),
            **_NORM,
        },
        unsent=("axis",),
        shape=shapes.in_groups,
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
        rows={"shared_axes": (to.optional(to.axes), None), **weighted("alpha")},
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
            "rate": _RATE,
            "seed": (SEED, KERAS),
            "noise_shape": (to.optional(_mask_shape), KERAS),
        },
    ),
    "GaussianDropout": Kind(layer="GaussianDropout", rows={"rate": _RATE, "seed": (SEED, KERAS)}),
    "AlphaDropout": Kind(
        layer="AlphaDropout",
        rows={
            "rate": _RATE,
            "seed": (SEED, KERAS),
            "noise_shape": (to.optional(_mask_shape), KERAS),
        },
    ),
    "GaussianNoise": Kind(
        layer="GaussianNoise",
        rows={"stddev": (to.number(0), REQUIRED), "seed": (SEED, KERAS)},
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
    "Permute": Kind(layer="Permute", rows={"dims": (to.wholes, REQUIRED)}, shape=shapes.permuted),
    "RepeatVector": Kind(
        layer="RepeatVector", rows={"n": (to.whole(), REQUIRED)}, axes=0, shape=shapes.repeated
    ),
}
