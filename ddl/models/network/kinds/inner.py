"""Kinds of layers that no network file names: readers of prototxt make them. No TensorFlow.

Those without a class in `keras.layers` are small models of Keras's own operations, see `ddl.models.network.within`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ddl.models.network.kinds import parts, shapes
from ddl.models.network.kinds import settings as to
from ddl.models.network.kinds.kind import REQUIRED, Kind
from ddl.models.network.kinds.shapes import BadShape, Settings, Shape, by
from ddl.models.network.kinds.weights import Weight


def _as_it_is(value: Any) -> Any:
    return value


def _weights_of_places(_: Settings, shape: Shape) -> list[Weight]:
    """Return one weight for each value of a picture."""
    if None in shape:
        raise BadShape(f"its input of {by(shape)} has open sides")
    return [Weight("kernel", tuple(side or 0 for side in shape))]


def _scaled(settings: Settings, taken: Sequence[Shape]) -> Shape:
    """Return the input's shape, which must be that of the factors."""
    scale = settings["scale"]
    if taken[0][:2] != (len(scale), len(scale[0])):
        raise BadShape(f"its input of {by(taken[0])} is not {len(scale)}x{len(scale[0])}")
    return taken[0]


INNER_KINDS: dict[str, Kind] = {
    "PlaceWeights": Kind(
        layer="EinsumDense",
        rows={"kernel_initializer": (parts.initializer, REQUIRED)},
        axes=2,
        weights=_weights_of_places,
    ),
    "PlaceScaling": Kind(
        layer="Rescaling", rows={"scale": (_as_it_is, REQUIRED)}, axes=2, shape=_scaled
    ),
    "LowestPadding2D": Kind(
        layer="",
        rows={"padding": (to.edges(2), REQUIRED)},
        axes=2,
        shape=shapes.padded,
    ),
    "LocalResponseNormalization": Kind(
        layer="",
        rows={
            "local_size": (to.whole(), REQUIRED),
            "alpha": (to.number(0), REQUIRED),
            "beta": (to.number(), REQUIRED),
            "k": (to.number(0), REQUIRED),
        },
        axes=2,
    ),
}
"""Name of a kind -> what it is.

`PlaceWeights` multiplies each value of a picture by a weight of its own; `PlaceScaling` each place by a fixed factor.
`LowestPadding2D` puts values around a picture that no maximum takes.
"""
