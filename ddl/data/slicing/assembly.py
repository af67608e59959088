"""Puts predictions of slices together into one HDF5 file: a data set for each set of slices, channels last.

Each rank writes its predictions into a file of its own beside the result (`PredictionPart`), and one of them joins all
(`join_parts`). The result does not depend on the number of ranks. Memory stays bounded by a tile of the result.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ddl.data.slicing.boxes import Box, Slices, SliceSet
from ddl.files import clear_partial, write_whole
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


def part_path(output: Path, rank: int) -> Path:
    """Return the file of a rank's predictions, hidden beside the result."""
    return output.with_name(f".{output.name}.part-{rank}")


class PredictionPart:
    """Predictions of one rank's samples, in order, in a file that ends with the `with` block unless it is complete."""

    def __init__(self, path: Path, sides: Sequence[int], channels: int) -> None:
        """Create the file, in place of one that an earlier job left.

        Args:
            path: the file.
            sides: sides of a sample, which those of its prediction must equal.
            channels: channels of a prediction.
        """
        self.count = 0
        self._path, self._shape = path, (*sides, channels)
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_partial(path)
        self._file = path.open("xb")

    def add(self, predictions: np.ndarray) -> None:
        """Append predictions of the next samples, (samples, *sides, channels)."""
        check_predictions(predictions.shape[1:], self._shape[:-1])
        self._file.write(np.ascontiguousarray(predictions, _STORED).tobytes())
        self.count += len(predictions)

    def __enter__(self) -> PredictionPart:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError:
            self._path.unlink(missing_ok=True)
            if kind is None:
                raise
        if kind is not None:
            self._path.unlink(missing_ok=True)


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


def join_parts(
    output: Path,
    parts: Sequence[Path],
    slices: Slices,
    numbers: np.ndarray,
    channels: int,
    precision: str = "single",
) -> list[Assembled]:
    """Write the result whole, in place of an older one, and return what is in it. The parts remain.

    Args:
        output: the result.
        parts: files of `PredictionPart`, in the order of the samples.
        slices: all slices of the array.
        numbers: the slice of each sample, each at most once.
        channels: channels of the predictions.
        precision: one of `PRECISIONS`.

    Raises:
        OSError: it cannot be written; an older result remains.
        ValueError: a part is missing or incomplete.
    """
    stored = _Parts(parts, len(numbers), (*slices.sample_sides, channels))
    place_of = np.full(len(slices), -1, np.int64)
    place_of[numbers] = np.arange(len(numbers))
    results: list[Assembled] = []

    def write(partial: Path) -> None:
        import h5py

        # The oldest format with all we need. It stores no times, so the same predictions give the same bytes.
        with (
            ClosableFile(partial) as file,
            h5py.File(file, "w", libver=("earliest", "v108")) as hdf5,
        ):
            for start, one in zip(slices.starts, slices.sets, strict=False):
                places = place_of[start : start + one.count]
                shape = (*one.sides, channels)
                dataset = hdf5.create_dataset(one.slicer.name, shape, PRECISIONS[precision])
                results.append(_write_set(dataset, one, places, stored, file))

    write_whole(output, write)
    return results


def _write_set(
    dataset: Any, one: SliceSet, places: np.ndarray, stored: _Parts, file: ClosableFile
) -> Assembled:
    uncovered, beyond = 0, 0
    first: tuple[int, ...] = ()
    *sides, channels = dataset.shape
    for tile in tiles(sides, one.slicer.sizes, TILE_VALUES // channels):
        means, counts = mean_in_tile(one, tile, places, stored)
        with np.errstate(over="ignore"):
            values = means.astype(dataset.dtype)
        beyond += int(np.isinf(values).sum() - np.isinf(means.astype(_STORED)).sum())
        empty = counts == 0
        if empty.any():
            uncovered += int(empty.sum())
            inner = np.unravel_index(int(empty.argmax()), empty.shape)
            place = tuple(int(at) + part.start for at, part in zip(inner, tile, strict=True))
            first = min(first or place, place)
        dataset[tile] = values
        file.check()  # stop at the first write error
    return Assembled(one.slicer.name, tuple(dataset.shape), uncovered, first, beyond)


def mean_in_tile(
    one: SliceSet, tile: Box, places: np.ndarray, stored: _Parts
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of all predictions of each place, float64, and their number; 0 where there is none.

    Sums are float64, added in the order of the slices, so equal float32 values give that value to the last bit.
    """
    sides = tuple(part.stop - part.start for part in tile)
    # Not 0.0, because 0.0 + -0.0 is 0.0.
    sums = np.full((*sides, stored.shape[-1]), -0.0)
    counts = np.zeros(sides, np.uint32)
    for number in one.numbers_in(tile):
        if places[number] < 0:
            continue
        box = one.box(number)
        both = [
            (max(part.start, other.start), min(part.stop, other.stop), part.start, other.start)
            for part, other in zip(box, tile, strict=True)
        ]
        within_box = tuple(slice(low - start, high - start) for low, high, start, _ in both)
        within_tile = tuple(slice(low - start, high - start) for low, high, _, start in both)
        with np.errstate(invalid="ignore"):  # infinity and its negative
            sums[within_tile] += one.from_sample(stored.read(places[number]), box)[within_box]
        counts[within_tile] += 1
    sums[counts == 0] = 0.0
    means = np.divide(sums, np.maximum(counts, 1)[..., None], out=sums)
    return means, counts


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


class _Parts:
    """The predictions in all parts, by sample. Each is mapped for one read, so memory does not add up."""

    def __init__(self, paths: Sequence[Path], count: int, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._item_bytes = math.prod(shape) * _STORED.itemsize
        sizes = [_size(path) for path in paths]
        wrong = [path for path, size in zip(paths, sizes, strict=True) if size % self._item_bytes]
        self._starts = [0, *itertools.accumulate(size // self._item_bytes for size in sizes)]
        if wrong or self._starts[-1] != count:
            named = wrong[0] if wrong else paths[0].parent
            raise ValueError(
                f"Received: {self._starts[-1]} predictions of {count} in {named}. Expected: all; let no other job write "
                "there at the same time."
            )
        self._paths = list(paths)

    def read(self, place: int) -> np.ndarray:
        part = int(np.searchsorted(self._starts, place, "right")) - 1
        offset = (int(place) - self._starts[part]) * self._item_bytes
        return np.memmap(self._paths[part], _STORED, "r", offset, self.shape)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise ValueError(
            f"Received: no {path}, which another rank has written. Expected: an output in a folder that all ranks "
            "share."
        ) from error


def _by(sides: Sequence[int | None]) -> str:
    return "x".join("any" if side is None else str(side) for side in sides)
