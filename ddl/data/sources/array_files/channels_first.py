"""Arrays with the channels first, (C, H, W) or (C, H, W, D), one sample each: in `.npy`, `.npz` or HDF5 files.

A `.npy` file is one sample, an archive or an HDF5 file one for each of its arrays. `stacked=true` takes the only array
of a file for many samples, (N, C, H, W).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ddl.data.source import Field, Source, View, checked_indices, empty_batch
from ddl.data.sources.array_files.single_arrays import StoredArray, find_arrays
from ddl.data.sources.arrays import checked_fields
from ddl.data.sources.ranged import with_range
from ddl.ranges import Range, check_ranges


def detect(path: Path) -> bool:
    """Return False: only its name asks for it, because most arrays have their channels last."""
    del path
    return False


def open_source(
    path: Path,
    *,
    axes: int | None = None,
    stacked: bool = False,
    class_folders: bool = False,
    range: str | None = None,  # noqa: A002
) -> Source:
    """Open the arrays of a file or a folder, without targets; they are returned with channels last.

    Args:
        path: the file or folder.
        axes: 2 for pictures, 3 for volumes: arrays of so many axes have one channel. By default those of 2 axes have.
        stacked: whether a file's only array holds many samples, along its first axis.
        class_folders: whether folders in `path` are classes, whose names, sorted, are the labels 0, 1, ...
        range: the stored values that become 0 and 1, see `ddl.data.value_range`.
    """
    check_ranges({"axes": axes}, {"axes": Range(1, 3)}, "channels-first")
    source = open_arrays(path, axes=axes, stacked=stacked)
    return with_range(FolderLabels(source, path) if class_folders else source, range)


def open_arrays(
    path: Path, name: str = "image", *, axes: int | None = None, stacked: bool = False
) -> Source:
    """Open the arrays as the field of this name; those of one axis or none are vectors and single values."""
    arrays = find_arrays(path)
    if stacked:
        return StackedArray(_only(arrays, path), name, axes)
    return ChannelsFirst(arrays, str(path), name, axes)


class ChannelsFirst(Source):
    """One sample an array. All have one shape, which the files' headers say."""

    def __init__(
        self, arrays: Sequence[StoredArray], origin: str, name: str, axes: int | None
    ) -> None:
        """Use these arrays as the field `name`."""
        self._arrays, self._name, self._axes = arrays, name, axes
        first = arrays[0]
        for array in arrays:
            if (array.shape, array.dtype) != (first.shape, first.dtype):
                raise ValueError(
                    f"Received: {array.origin} of {_form(array)}, {first.origin} of {_form(first)}. Expected: one "
                    "shape and one dtype in all files."
                )
        self.fields = _fields(name, first.shape, first.dtype, axes, origin)

    def __len__(self) -> int:
        return len(self._arrays)

    def name_of(self, index: int) -> str:
        return self._arrays[index].name

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        wanted = checked_indices(indices, len(self))
        batch = empty_batch(self.fields, len(wanted))
        for row, index in enumerate(wanted):
            batch[self._name][row] = _channels_last(self._arrays[index].read(), self._axes)
        return batch


class FolderLabels(View):
    """Samples whose label is the first folder in their name."""

    def __init__(self, source: Source, path: Path) -> None:
        """Use the samples of `source`, which is closed with this one; `path` names them in an error."""
        super().__init__(source)
        names = [source.name_of(index).partition("/") for index in range(len(source))]
        if not all(slash for _, slash, _ in names):
            raise ValueError(
                f"Received: class_folders=true for {path} with arrays in no folder. Expected: CLASS/name.npy."
            )
        classes, labels = np.unique([folder for folder, _, _ in names], return_inverse=True)
        self.class_names = tuple(map(str, classes))
        self._labels = labels.astype(np.int64)
        self.fields = {**source.fields, "label": Field((), np.dtype(np.int64))}

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        wanted = checked_indices(indices, len(self))
        return {**self.source.read(wanted), "label": self._labels[wanted]}

    def read_column(self, name: str) -> np.ndarray | None:
        return self._labels if name == "label" else None

    def describe(self) -> str:
        return Source.describe(self)


class StackedArray(Source):
    """Many samples along the first axis of one array."""

    def __init__(self, array: StoredArray, name: str, axes: int | None) -> None:
        """Use this array as the field `name`."""
        self._array, self._name, self._axes = array, name, axes
        if not array.shape or not array.shape[0]:
            raise ValueError(
                f"Received: {array.origin} of {_form(array)} with stacked=true. Expected: an axis of samples first."
            )
        self.fields = _fields(name, array.shape[1:], array.dtype, axes, array.origin)

    def __len__(self) -> int:
        return self._array.shape[0]

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        wanted, values = checked_indices(indices, len(self)), self._array.read()
        batch = empty_batch(self.fields, len(wanted))
        for row, index in enumerate(wanted):
            batch[self._name][row] = _channels_last(values[index], self._axes)
        return batch


def _only(arrays: Sequence[StoredArray], path: Path) -> StoredArray:
    if len(arrays) > 1:
        raise ValueError(
            f"Received: stacked=true for {path} with {len(arrays)} arrays. Expected: one array that holds all samples."
        )
    return arrays[0]


def _fields(
    name: str, shape: tuple[int, ...], dtype: np.dtype, axes: int | None, origin: str
) -> dict[str, Field]:
    """Return the field of arrays with this stored shape."""
    sample = np.broadcast_to(np.zeros((), dtype), shape)  # of the shape alone, without its memory
    return checked_fields({name: _channels_last(sample, axes)[None]}, origin)


def _channels_last(array: np.ndarray, axes: int | None) -> np.ndarray:
    """Return an array (C, ...) as (..., C); one channel where it has `axes` axes, by default two."""
    if array.ndim == (axes or 2):
        return array[..., None]
    return np.moveaxis(array, 0, -1) if array.ndim > 2 else array


def _form(array: StoredArray) -> str:
    return f"{'x'.join(map(str, array.shape)) or 'one value'}, {array.dtype}"
