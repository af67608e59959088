"""Synthetic pictures of cells with their boxes, generated on reading: no file, no download."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ddl.boxes.rows import CLASS, COLUMNS, CORNERS, padded_rows
from ddl.data.pictures.synthetic_scene import SHAPES, scene
from ddl.data.source import Field, Source, checked_indices, empty_batch
from ddl.data.sources.synthetic_parts import part_of, two_sides
from ddl.ranges import Range, check_ranges

_RANGES = {
    "count": Range(1, 10**7),
    "classes": Range(1, len(SHAPES)),
    "channels": Range(1, 16),
    "objects": Range(1, 100),
    "size": Range(32, 4096),
    "seed": Range(0),
}
_COUNTED = 1000  # larger sources are described without drawing them


class SyntheticBoxes(Source):
    """Generates each picture from (seed, index) when it is read."""

    def __init__(
        self,
        count: int,
        sides: tuple[int, int],
        *,
        classes: int,
        channels: int,
        objects: int,
        seed: int,
        start: int = 0,
    ) -> None:
        """Provide `count` pictures of at most `objects` cells, from the index `start` on."""
        self._count, self._sides, self._start = count, sides, start
        self._scene = functools.partial(
            scene, sides=sides, channels=channels, classes=classes, most=objects, seed=seed
        )
        self.class_names = SHAPES[:classes]
        self.fields = {
            "image": Field((*sides, channels), np.dtype(np.uint8)),
            "boxes": Field((objects, COLUMNS), np.dtype(np.float32)),
        }

    def __len__(self) -> int:
        return self._count

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        batch = empty_batch(self.fields, len(indices))
        for row, index in enumerate(checked_indices(indices, len(self)) + self._start):
            drawn = self._scene(int(index))
            boxes = np.zeros((len(drawn.classes), COLUMNS), np.float32)
            boxes[:, CLASS] = drawn.classes
            boxes[:, CORNERS] = drawn.corners / np.tile(self._sides[::-1], 2)
            batch["image"][row] = drawn.picture
            batch["boxes"][row] = padded_rows(boxes, self.fields["boxes"].shape[0])
        return batch

    def count_boxes(self) -> dict[str, int]:
        if self._count > _COUNTED:
            return {}
        numbers = range(self._start, self._start + self._count)
        found = np.concatenate([self._scene(index).classes for index in numbers])
        counts = np.bincount(found, minlength=len(self.class_names)).tolist()
        return dict(zip(self.class_names, counts, strict=True))


def detect(path: Path) -> bool:
    """Return whether it was asked for by name."""
    return str(path) == "synthetic-boxes"


def open_source(
    path: Path,
    *,
    split: str = "train",
    count: int = 300,
    classes: int = 3,
    channels: int = 3,
    objects: int = 6,
    size: int | tuple[int, ...] = 96,
    seed: int = 0,
) -> SyntheticBoxes:
    """Make pictures of cells: disks, rings, rods, squares and crosses.

    Args:
        path: the name of this format.
        split: "train", or "test" for a fifth as many other pictures.
        count: number of training pictures.
        classes: number of classes: the first shapes of these.
        channels: number of channels.
        objects: largest number of cells in a picture.
        size: side in pixels, or height and width.
        seed: seed of the pictures.
    """
    given = {"count": count, "classes": classes, "channels": channels, "objects": objects}
    check_ranges({**given, "size": size, "seed": seed}, _RANGES, "synthetic boxes")
    length, start = part_of(split, count)
    sides = two_sides(size, "synthetic boxes")
    return SyntheticBoxes(
        length,
        sides,
        classes=classes,
        channels=channels,
        objects=objects,
        seed=seed,
        start=start,
    )
