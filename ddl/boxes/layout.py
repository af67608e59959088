"""How a detector's one output, (positions, 5 + classes), is to be read: `Layout`.

Positions are the cells of all levels: finest level first, rows before columns, anchors last. The numbers of a position
are four of a box, one logit for "there is an object", and a logit per class.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

BOX_NUMBERS = 4
OBJECT = 4
FIRST_CLASS = 5
KINDS = ("anchors", "points")


@dataclass(frozen=True)
class Level:
    """Cells of one size.

    Attributes:
        stride: side of a cell in pixels of the model's input.
        anchors: (width, height) in pixels of the model's input; none for kind "points", with one position a cell.
    """

    stride: int
    anchors: tuple[tuple[float, float], ...] = ()

    @property
    def positions_per_cell(self) -> int:
        """Predictions that each cell makes."""
        return len(self.anchors) or 1


@dataclass(frozen=True)
class Layout:
    """The positions of a detector.

    Attributes:
        kind: "anchors": the four numbers are x, y, w, h as in YOLOv3: the centre is (cell + sigmoid(x, y)) * stride,
            the size anchor * exp(w, h). "points": they are the logarithms of the distances from the cell's centre to
            the box's left, top, right and bottom side, in strides, as in FCOS.
        classes: number of classes.
        levels: finest first.
    """

    kind: str
    classes: int
    levels: tuple[Level, ...]

    def grids(self, sides: tuple[int, int]) -> Iterator[tuple[Level, int, int]]:
        """Yield each level with its rows and columns, for an input of this height and width."""
        for level in self.levels:
            yield level, -(-sides[0] // level.stride), -(-sides[1] // level.stride)

    def positions(self, sides: tuple[int, int]) -> int:
        """Return the number of positions for an input of this height and width."""
        return sum(
            rows * columns * level.positions_per_cell for level, rows, columns in self.grids(sides)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values, as a trained model's facts hold it."""
        return asdict(self)


def share_anchors(
    anchors: Sequence[float], strides: Sequence[int], owner: str
) -> tuple[Level, ...]:
    """Return levels with equally many anchors each.

    Args:
        anchors: width and height of each in pixels of the model's input, smallest first.
        strides: side of a cell at each level, finest first.
        owner: whose anchors they are, for the message.

    Raises:
        ValueError: they cannot be shared out.
    """
    per_level, rest = divmod(len(anchors), 2 * len(strides))
    if rest or not per_level or not all(0 < number < math.inf for number in anchors):
        told = ",".join(f"{number:g}" for number in anchors)
        raise ValueError(
            f"Received: anchors={told} for {owner}. Expected: a width and a height above 0 for each anchor, smallest "
            f"first, and equally many anchors for each of {len(strides)} levels."
        )
    pairs = tuple(zip(anchors[::2], anchors[1::2], strict=True))
    return tuple(
        Level(stride, pairs[number * per_level : (number + 1) * per_level])
        for number, stride in enumerate(strides)
    )


def layout_from_dict(values: Mapping[str, Any]) -> Layout:
    """Return the layout from the values of `Layout.to_dict`."""
    levels = tuple(
        Level(
            int(level["stride"]),
            tuple((float(width), float(height)) for width, height in level["anchors"]),
        )
        for level in values["levels"]
    )
    return Layout(str(values["kind"]), int(values["classes"]), levels)
