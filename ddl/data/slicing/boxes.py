"""The boxes that slicers cut an array into, and back. Pure NumPy; nothing here reads a file.

Boxes are numbered through all sets in their order, row-major within a set.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ddl.data.slicing.slicer import Slicer

Box = tuple[slice, ...]
"""A range of places for each axis of the array, without channels."""


def count_slices(shape: Sequence[int], slicers: Sequence[Slicer]) -> dict[str, int]:
    """Return the number of slices of each set, by name, for an array of this shape. Nothing is read.

    Args:
        shape: of the whole array: (channels, *sides), or sides alone.
        slicers: what `parse_slicers` returns.

    Raises:
        ValueError: an array of this shape cannot be cut so.
    """
    return {one.slicer.name: one.count for one in Slices(sides_of(shape, slicers), slicers).sets}


def sides_of(
    shape: Sequence[int], slicers: Sequence[Slicer], origin: str = "an array"
) -> tuple[int, ...]:
    """Return the sides of an array without the channel axis, if it has one, which is the first.

    Raises:
        ValueError: the slicers have another number of axes.
    """
    axes = len(slicers[0].sizes)
    if len(shape) not in (axes, axes + 1) or 0 in shape:
        raise ValueError(
            f"Received: {origin} of shape {'x'.join(map(str, shape)) or '()'}, and slicers with sizes="
            f"{','.join(map(str, slicers[0].sizes))}. Expected: a size for each axis of the array, without the first "
            "one if that is of channels."
        )
    return tuple(int(side) for side in shape[len(shape) - axes :])


@dataclass(frozen=True)
class SliceSet:
    """The boxes of one slicer in an array with these sides."""

    slicer: Slicer
    sides: tuple[int, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of boxes along each axis."""
        axes = zip(self.sides, self.slicer.sizes, self.slicer.steps, strict=True)
        if self.slicer.discard_remainders:
            return tuple(max(0, (side - size) // step + 1) for side, size, step in axes)
        # A step above the size could start a box behind the array's end; such a box is left out.
        return tuple(
            min(-(-max(side - size, 0) // step) + 1, -(-side // step)) for side, size, step in axes
        )

    @property
    def count(self) -> int:
        """Number of boxes."""
        return math.prod(self.counts)

    def box(self, number: int) -> Box:
        """Return a box, without what lies beyond the array's end."""
        axes = zip(
            np.unravel_index(number, self.counts),
            self.sides, self.slicer.sizes, self.slicer.steps, strict=True,
        )  # fmt: skip
        starts = [(int(place) * step, size, side) for place, side, size, step in axes]
        return tuple(slice(start, min(start + size, side)) for start, size, side in starts)

    def numbers_in(self, tile: Box) -> Iterator[int]:
        """Yield the boxes that overlap a tile of the array, in order."""
        ranges = []
        axes = zip(tile, self.slicer.sizes, self.slicer.steps, self.counts, strict=True)
        for part, size, step, count in axes:
            first = max(0, (part.start - size) // step + 1)
            ranges.append(range(first, min(count, (part.stop - 1) // step + 1)))
        for places in itertools.product(*ranges):
            yield int(np.ravel_multi_index(places, self.counts))

    def to_sample(self, values: np.ndarray) -> np.ndarray:
        """Return the sample of a box: (channels, *sides of the box) becomes (*sides of the sample, channels)."""
        slicer = self.slicer
        sample = np.zeros((*slicer.total_sizes, len(values)), values.dtype)
        inner = tuple(
            slice(before, before + side)
            for before, side in zip(self._before, values.shape[1:], strict=True)
        )
        sample[inner] = np.moveaxis(values, 0, -1)
        sample = sample.reshape(*(side for side in slicer.total_sizes if side > 1), len(values))
        return np.ascontiguousarray(sample.swapaxes(0, 1)) if slicer.transpose else sample

    def from_sample(self, sample: np.ndarray, box: Box) -> np.ndarray:
        """Return what a sample holds of its box: (*sides of the box, channels), without padding."""
        slicer = self.slicer
        values = sample.swapaxes(0, 1) if slicer.transpose else sample
        values = values.reshape(*slicer.total_sizes, sample.shape[-1])
        return values[
            tuple(
                slice(before, before + part.stop - part.start)
                for before, part in zip(self._before, box, strict=True)
            )
        ]

    @property
    def _before(self) -> tuple[int, ...]:
        """Zeros before a box along each axis."""
        pairs = zip(self.slicer.total_sizes, self.slicer.sizes, strict=True)
        return tuple((total - size) // 2 for total, size in pairs)


class Slices:
    """All boxes of several sets."""

    def __init__(self, sides: Sequence[int], slicers: Sequence[Slicer]) -> None:
        """Cut an array with these sides, without channels.

        Raises:
            ValueError: a set has no box.
        """
        self.sets = tuple(SliceSet(slicer, tuple(sides)) for slicer in slicers)
        for one in self.sets:
            if not one.count:
                sizes, name = one.slicer.sizes, one.slicer.name
                raise ValueError(
                    f"Received: slicer {name!r} with sizes={','.join(map(str, sizes))} and discard_remainders=true for "
                    f"an array of {'x'.join(map(str, sides))}, which gives no slice. Expected: sizes of at most the "
                    "array's, or no discard_remainders."
                )
        self.starts = (0, *itertools.accumulate(one.count for one in self.sets))

    def __len__(self) -> int:
        return self.starts[-1]

    @property
    def sample_sides(self) -> tuple[int, ...]:
        """Sides of every sample, without channels."""
        return self.sets[0].slicer.sample_sides

    def find(self, number: int) -> tuple[SliceSet, int]:
        """Return the set of a slice, and its number there."""
        place = int(np.searchsorted(self.starts, number, "right")) - 1
        return self.sets[place], number - self.starts[place]

    def name_of(self, number: int) -> str:
        """Return a slice's set and box, such as "a[0:64, 32:96]"."""
        one, inner = self.find(number)
        ranges = ", ".join(f"{part.start}:{part.stop}" for part in one.box(inner))
        return f"{one.slicer.name}[{ranges}]"

    def cut(self, number: int, read: Callable[[Box], np.ndarray]) -> np.ndarray:
        """Return a sample, (*sides, channels); `read` returns (channels, *sides) of a box."""
        one, inner = self.find(number)
        return one.to_sample(read(one.box(inner)))
