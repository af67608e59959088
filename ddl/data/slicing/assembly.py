"""Puts predictions of slices together into one HDF5 file: a data set for each set of slices, channels last.

    with Assembly(Path("predictions.h5"), slices, numbers) as assembly:
        assembly.add(np.arange(8), predictions)
        ...
        assembled = assembly.finish()

Predictions wait in a nameless file beside the result, and memory stays bounded by a tile of it.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.slicing.boxes import Box, Slices, SliceSet
from ddl.files import write_whole
from ddl.files.closable_file import ClosableFile

PRECISIONS: dict[str, np.dtype] = {"single": np.dtype("<f4"), "half": np.dtype("<f2")}
TILE_VALUES = 1 << 22
"""Most values of a tile; each takes 8 bytes for its sum."""
_STORED = np.dtype("<f4")


@dataclass(frozen=True)
class Assembled:
    """What was written about one set of slices.

    Attributes:
        name: the data set.
        shape: of it.
        uncovered: places, without channels, that no predicted slice covers and that hold zeros.
        first: one of them, the first.
        beyond: values that are finite, but infinite in the precision of the file.
    """

    name: str
    shape: tuple[int, ...]
    uncovered: int = 0
    first: tuple[int, ...] = ()
    beyond: int = 0

    def notes(self) -> list[str]:
        """Return a sentence on each thing that the user may not expect."""
        notes = []
        if self.uncovered:
            places = math.prod(self.shape[:-1])
            notes.append(
                f"{self.uncovered} of {places} places of {self.name} are in no predicted slice and hold zeros, the "
                f"first at {', '.join(map(str, self.first))}"
            )
        if self.beyond:
            notes.append(f"{self.beyond} values of {self.name} exceed float16 and became infinite")
        return notes


class Assembly:
    """The file while predictions arrive, in any order, in a `with` block. Only one rank has it.

    A full disk is reported by `finish`, so that all ranks can go on until then.
    """

    def __init__(
        self, path: Path, slices: Slices, numbers: np.ndarray, precision: str = "single"
    ) -> None:
        """Prepare it; nothing is written yet.

        Args:
            path: the file, which replaces an older one as a whole.
            slices: all slices of the array.
            numbers: the slice of each sample, each at most once.
            precision: one of `PRECISIONS`.
        """
        self._path, self._slices, self._numbers = path, slices, numbers
        self._dtype = PRECISIONS[precision]
        self._place_of = np.full(len(slices), -1, np.int64)  # of a slice's prediction in the file
        self._count, self._channels = 0, 0
        self._file: Any = None
        self._error: OSError | None = None

    def add(self, indices: np.ndarray, predictions: np.ndarray) -> None:
        """Keep predictions of the samples `indices`, (samples, *sides, channels).

        Raises:
            ValueError: their sides are not those of a slice.
        """
        check_predictions(predictions.shape[1:], self._slices.sample_sides)
        self._channels = predictions.shape[-1]
        if self._error is not None:
            return
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                # It has no name, so nothing of it stays after a kill.
                self._file = tempfile.TemporaryFile(dir=self._path.parent)  # noqa: SIM115
            self._file.write(np.ascontiguousarray(predictions, _STORED).tobytes())
        except OSError as error:
            self._error = error
            return
        places = np.arange(self._count, self._count + len(indices))
        self._place_of[self._numbers[indices]] = places
        self._count += len(indices)

    def finish(self) -> list[Assembled]:
        """Write the file, and return what is in it.

        Raises:
            OSError: there was no room for the predictions or the file, or it cannot be written. An older one remains.
        """
        if self._error is not None:
            raise self._error
        results: list[Assembled] = []

        def write(partial: Path) -> None:
            import h5py

            if self._file is not None:
                self._file.flush()
            # The oldest format with all we need. It stores no times, so equal predictions give equal bytes.
            with (
                ClosableFile(partial) as file,
                h5py.File(file, "w", libver=("earliest", "v108")) as hdf5,
            ):
                for start, one in zip(self._slices.starts, self._slices.sets, strict=False):
                    shape = (*one.sides, self._channels)
                    dataset = hdf5.create_dataset(one.slicer.name, shape, self._dtype)
                    places = self._place_of[start : start + one.count]
                    results.append(self._write_set(dataset, one, places, file))

        write_whole(self._path, write)
        return results

    def __enter__(self) -> Assembly:
        return self

    def __exit__(self, *error: object) -> None:
        """Give up the predictions that are kept."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()

    def _write_set(
        self, dataset: Any, one: SliceSet, places: np.ndarray, file: ClosableFile
    ) -> Assembled:
        *sides, channels = dataset.shape
        uncovered, beyond = 0, 0
        first: tuple[int, ...] = ()
        for tile in tiles(sides, one.slicer.sizes, TILE_VALUES // channels):
            means, counts = self._mean_in(tile, one, places)
            with np.errstate(over="ignore"):
                values = means.astype(dataset.dtype)
            beyond += int(np.isinf(values).sum() - np.isinf(means).sum())
            empty = counts == 0
            if empty.any():
                uncovered += int(empty.sum())
                inner = np.unravel_index(int(empty.argmax()), empty.shape)
                place = tuple(int(at) + part.start for at, part in zip(inner, tile, strict=True))
                first = min(first or place, place)
            if not empty.all():  # else it stays a hole in the file, which reads as zeros
                dataset[tile] = values
            file.check()  # stop at the first write error
        return Assembled(one.slicer.name, tuple(dataset.shape), uncovered, first, beyond)

    def _mean_in(
        self, tile: Box, one: SliceSet, places: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean of all predictions of each place, float64, and their number; 0 where there is none.

        Sums are float64, added in the order of the slices, so equal float32 values give that value to the last bit.
        """
        sides = tuple(part.stop - part.start for part in tile)
        # Not 0.0, because 0.0 + -0.0 is 0.0.
        sums = np.full((*sides, self._channels), -0.0)
        counts = np.zeros(sides, np.uint32)
        for number in one.numbers_in(tile):
            if places[number] < 0:
                continue
            box = one.box(number)
            common = [
                (max(part.start, other.start), min(part.stop, other.stop))
                for part, other in zip(box, tile, strict=True)
            ]
            in_tile, in_box = (
                tuple(
                    slice(low - part.start, high - part.start)
                    for (low, high), part in zip(common, whole, strict=True)
                )
                for whole in (tile, box)
            )
            with np.errstate(invalid="ignore"):  # infinity and its negative
                sums[in_tile] += one.from_sample(self._read(places[number]), box)[in_box]
            counts[in_tile] += 1
        sums[counts == 0] = 0.0
        return np.divide(sums, np.maximum(counts, 1)[..., None], out=sums), counts

    def _read(self, place: int) -> np.ndarray:
        """Return a prediction. It is mapped for one read, so that pages that were read do not add up."""
        shape = (*self._slices.sample_sides, self._channels)
        offset = int(place) * math.prod(shape) * _STORED.itemsize
        return np.memmap(self._file, _STORED, "r", offset, shape)


def check_predictions(shape: Sequence[int | None], sides: Sequence[int]) -> None:
    """Refuse predictions whose sides are not those of a sample; None stands for any length."""
    found = shape[:-1]
    fits = len(found) == len(sides) and all(
        side in (None, wanted) for side, wanted in zip(found, sides, strict=True)
    )
    if not fits:
        raise ValueError(
            f"Received: predictions of shape {_by(shape)} for slices of {_by(sides)}, to assemble. Expected: one value "
            "or more for each place of a slice: a model whose output has the sides of its input."
        )


def tiles(sides: Sequence[int], sizes: Sequence[int], most: int) -> Iterator[Box]:
    """Yield boxes that divide an array with these sides, in order, of at most `most` places where that is possible.

    Axes are cut from the first on, so that a box is few runs of the file. They are no shorter than slices of `sizes`,
    so that a slice meets few boxes, unless a slice alone is larger than a box.
    """
    steps = list(sides)
    for least in (sizes, [1] * len(steps)):
        for axis, size in enumerate(least):
            rest = math.prod(steps) // steps[axis]
            steps[axis] = max(min(size, steps[axis]), min(steps[axis], most // rest))
    ranges = [
        [slice(start, min(start + step, side)) for start in range(0, side, step)]
        for side, step in zip(sides, steps, strict=True)
    ]
    yield from itertools.product(*ranges)


def _by(sides: Sequence[int | None]) -> str:
    return "x".join("any" if side is None else str(side) for side in sides)
