"""What the table says about a kind of layers, and settings that several kinds have. No TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ddl.models.network.kinds import parts, shapes
from ddl.models.network.kinds import settings as to
from ddl.models.network.kinds import weights as of
from ddl.models.network.kinds.shapes import Settings, Shape
from ddl.models.network.kinds.weights import Weight

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


def weighted(*names: str) -> dict[str, Row]:
    """Return the settings of weights: kernel_initializer, kernel_regularizer, kernel_constraint, ..."""
    rows: dict[str, Row] = {}
    for name in names:
        rows[f"{name}_initializer"] = (parts.initializer, KERAS)
        rows[f"{name}_regularizer"] = (parts.regularizer, KERAS)
        rows[f"{name}_constraint"] = (parts.constraint, KERAS)
    return rows


ENDS: dict[str, Row] = {
    "activation": (to.activation, "linear"),
    "use_bias": (to.flag, True),
    "activity_regularizer": (parts.regularizer, KERAS),
}
ONE_GROUP = to.equals(1)
UNUSED_KERNEL = {
    "kernel_initializer": parts.is_initializer,
    "kernel_regularizer": to.is_null,
    "kernel_constraint": to.is_null,
}
"""What the depthwise kinds of Keras 2 inherited and did not use."""

SEED = to.optional(to.whole(0))
