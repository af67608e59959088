"""Synthetic microscope pictures, 2D or 3D, generated on reading: no file, no download."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ddl.data.pictures.synthetic_picture import microscope_picture
from ddl.data.pictures.synthetic_volume import microscope_volume
from ddl.data.source import Field, Source, checked_indices, empty_batch
from ddl.ranges import Range, check_ranges

_RANGES = {"count": Range(1, 10**7), "size": Range(8, 4096), "seed": Range(0)}


class Synthetic(Source):
    """Generates each sample from (seed, index) when it is read."""

    def __init__(
        self,
        make: Callable[[int, int, int], tuple[np.ndarray, np.ndarray]],
        count: int,
        size: int,
        seed: int,
    ) -> None:
        """Provide `count` samples of `make(index, size, seed)`."""
        check_ranges({"count": count, "size": size, "seed": seed}, _RANGES, "synthetic data")
        self._make, self._count, self._size, self._seed = make, count, size, seed
        image, mask = make(0, size, seed)
        self.fields = {
            "image": Field(image.shape, image.dtype),
            "mask": Field(mask.shape, mask.dtype),
        }

    def __len__(self) -> int:
        return self._count

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        wanted = checked_indices(indices, len(self))
        batch = empty_batch(self.fields, len(wanted))
        for row, index in enumerate(wanted):
            batch["image"][row], batch["mask"][row] = self._make(int(index), self._size, self._seed)
        return batch


def detect(path: Path) -> bool:
    """Return whether it was asked for by name."""
    return str(path) == "synthetic"


def detect_volumes(path: Path) -> bool:
    """Return whether it was asked for by name."""
    return str(path) == "synthetic-3d"


def open_source(path: Path, *, count: int = 256, size: int = 96, seed: int = 0) -> Synthetic:
    """Make `count` pictures of size x size pixels."""
    return Synthetic(microscope_picture, count, size, seed)


def open_volumes(path: Path, *, count: int = 32, size: int = 32, seed: int = 0) -> Synthetic:
    """Make `count` volumes of size x size x size voxels."""
    check_ranges({"size": size}, {"size": Range(8, 512)}, "synthetic volumes")
    return Synthetic(microscope_volume, count, size, seed)
