"""Where in its input a model looks: a grey patch slides over a picture, and the metric drops where it hides something.

Pure NumPy. All patches of a picture are dealt out to the ranks in batches that do not depend on their number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

PARTS = 8
"""The patch's side is this part of the picture's shorter side, and it moves by half of it, so about 15 x 15 places."""
LEAST_PATCH = 2


@dataclass(frozen=True)
class Patches:
    """The places of a patch on a picture.

    Attributes:
        height, width: sides of the picture.
        side: of the patch, in pixels.
        step: pixels between two places.
    """

    height: int
    width: int
    side: int
    step: int

    def __len__(self) -> int:
        return len(self._starts(self.height)) * len(self._starts(self.width))

    def boxes(self) -> list[tuple[slice, slice]]:
        """Return rows and columns of each place, line by line; the last ones end at the picture's edge."""
        rows, columns = self._starts(self.height), self._starts(self.width)
        return [(slice(y, y + self.side), slice(x, x + self.side)) for y in rows for x in columns]

    def _starts(self, length: int) -> list[int]:
        last = max(0, length - self.side)
        return sorted({*range(0, last, self.step), last})


def patches_of(shape: Sequence[int], side: int | None = None) -> Patches:
    """Return the places for a picture of shape (height, width, channels).

    Args:
        shape: of the picture.
        side: of the patch; None chooses an eighth of the shorter side.
    """
    height, width = shape[:2]
    side = side or max(LEAST_PATCH, round(min(height, width) / PARTS))
    side = min(side, height, width)
    return Patches(height, width, side, max(1, side // 2))


def occluded(picture: np.ndarray, boxes: Sequence[tuple[slice, slice]]) -> np.ndarray:
    """Return copies of a picture, each with one box in its mean colour, (boxes, height, width, channels)."""
    grey = picture.mean(axis=(0, 1), dtype=np.float64).astype(picture.dtype)
    copies = np.repeat(picture[np.newaxis], len(boxes), axis=0)
    for copy, box in zip(copies, boxes, strict=True):
        copy[box] = grey
    return copies


def dealt(count: int, size: int, rank: int, ranks: int) -> Iterator[range]:
    """Yield the places that a rank has to compute, in batches of `size`: batch k is that of rank k % ranks."""
    for batch, first in enumerate(range(0, count, size)):
        if batch % ranks == rank:
            yield range(first, min(first + size, count))


def heat_map(patches: Patches, drops: np.ndarray) -> np.ndarray:
    """Return for each pixel the mean drop over the patches that hid it, (height, width)."""
    total = np.zeros((patches.height, patches.width))
    count = np.zeros_like(total)
    for box, drop in zip(patches.boxes(), drops, strict=True):
        total[box] += drop
        count[box] += 1
    return np.asarray(total / np.maximum(count, 1))
