"""Synthetic pictures with labels, of any size and number of classes, generated on reading: no file, no download.

A class is a pattern of 4 x 4 colours. A picture is the pattern of its class, shifted, under noise that is as strong. A
small network learns them in minutes, from a part that it has not seen as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ddl.data.source import Field, Source, checked_indices, empty_batch
from ddl.data.sources.synthetic_parts import part_of, two_sides
from ddl.ranges import Range, check_ranges

_RANGES = {
    "count": Range(1, 10**7),
    "classes": Range(2, 10**5),
    "channels": Range(1, 16),
    "size": Range(4, 4096),
    "seed": Range(0),
}
_GRID = 4
_LEVELS = 128  # of pattern and of noise; their sum fits into 8 bits
_SHIFT = 8  # a picture is shifted by up to an eighth of its side
_PATTERN, _SAMPLE = 0, 1  # so that no pattern and no picture are drawn from the same numbers


class SyntheticLabels(Source):
    """Generates each picture from (seed, index) when it is read."""

    def __init__(
        self, count: int, classes: int, channels: int, sides: tuple[int, int], seed: int, start: int
    ) -> None:
        """Provide `count` pictures from the index `start` on."""
        self._count, self._classes, self._seed, self._start = count, classes, seed, start
        self.fields = {
            "image": Field((*sides, channels), np.dtype(np.uint8)),
            "label": Field((), np.dtype(np.int64)),
        }
        self.class_names = tuple(map(str, range(classes)))
        self._patterns: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return self._count

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        wanted = checked_indices(indices, len(self)) + self._start
        batch = empty_batch(self.fields, len(wanted))
        batch["label"][:] = wanted % self._classes
        for row, (index, label) in enumerate(zip(wanted, batch["label"], strict=True)):
            batch["image"][row] = self._picture(int(index), int(label))
        return batch

    def read_column(self, name: str) -> np.ndarray | None:
        if name != "label":
            return None
        return np.arange(self._start, self._start + self._count, dtype=np.int64) % self._classes

    def _picture(self, index: int, label: int) -> np.ndarray:
        """Return a picture, uint8 of (height, width, channels)."""
        height, width, channels = shape = self.fields["image"].shape
        rng = np.random.Generator(np.random.PCG64([self._seed, _SAMPLE, index]))
        down, right = (int(rng.integers(side // _SHIFT + 1)) for side in (height, width))
        rows = (np.arange(height) + down) % height * _GRID // height
        columns = (np.arange(width) + right) % width * _GRID // width
        noise = np.frombuffer(rng.bytes(height * width * channels), np.uint8).reshape(shape)
        bands = self._pattern(label)[
            :, columns
        ]  # first the columns: the rows are then copied whole
        return np.asarray(bands[rows] + (noise >> 1))

    def _pattern(self, label: int) -> np.ndarray:
        """Return the colours of a class, drawn once."""
        if label not in self._patterns:
            rng = np.random.Generator(np.random.PCG64([self._seed, _PATTERN, label]))
            shape = (_GRID, _GRID, self.fields["image"].shape[-1])
            self._patterns[label] = rng.integers(0, _LEVELS, shape, np.uint8)
        return self._patterns[label]


def detect(path: Path) -> bool:
    """Return whether it was asked for by name."""
    return str(path) == "synthetic-labels"


def open_source(
    path: Path,
    *,
    split: str = "train",
    count: int = 1024,
    classes: int = 10,
    channels: int = 3,
    size: int | tuple[int, ...] = 32,
    seed: int = 0,
) -> SyntheticLabels:
    """Make pictures in equal numbers of every class.

    Args:
        path: the name of this format.
        split: "train", or "test" for a fifth as many other pictures.
        count: number of training pictures.
        classes: number of classes.
        channels: number of channels.
        size: side in pixels, or height and width.
        seed: seed of patterns and pictures.
    """
    given = {"count": count, "classes": classes, "channels": channels, "size": size, "seed": seed}
    check_ranges(given, _RANGES, "synthetic labels")
    length, start = part_of(split, count)
    sides = two_sides(size, "synthetic labels")
    return SyntheticLabels(length, classes, channels, sides, seed, start)
