"""Reads boxes of one array in a file that may be far larger than memory: HDF5, `.npy`, or a member of an `.npz`.

Opening reads headers only. Reading a box reads no more than the box, in HDF5 the chunks that it touches.
"""

from __future__ import annotations

import os
import threading
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ddl.data.slicing.boxes import Box
from ddl.data.sources.array_files import hdf5, npy, npz
from ddl.data.sources.arrays import MEMORY_LIMIT
from ddl.files import archives, check_regular

CHUNK_CACHE_BYTES = 32 << 20
"""HDF5's cache of decoded chunks: neighbouring boxes share chunks."""
MOST_BYTES = 1 << 30
"""The largest box or chunk, which is held in memory whole."""
_OPENING = threading.Lock()


class LargeArray(ABC):
    """An array in a file, of which boxes are read.

    Attributes:
        origin: what messages call it.
        shape: of the whole array.
        dtype: in this machine's byte order.
    """

    origin: str
    shape: tuple[int, ...]
    dtype: np.dtype

    @abstractmethod
    def read(self, box: Box) -> np.ndarray:
        """Return the values of a box, a range for every axis."""

    def close(self) -> None:
        """Close open files; the next read opens them again."""
        return


class MappedArray(LargeArray):
    """An array that NumPy maps. It is mapped anew for each box, so that pages that were read do not add up."""

    def __init__(self, array: np.ndarray, origin: str) -> None:
        """Use an array that is mapped from a file, or held in memory."""
        self.origin, self.shape = origin, array.shape
        self.dtype = array.dtype.newbyteorder("=")
        self._stored = array.dtype
        self._held = None if isinstance(array, np.memmap) else array
        self._file: Any = getattr(array, "filename", None)
        self._offset: int = getattr(array, "offset", 0)
        self._order: Literal["F", "C"] = "C" if array.flags.c_contiguous else "F"

    def read(self, box: Box) -> np.ndarray:
        array = self._held
        if array is None:
            try:
                array = np.memmap(
                    self._file, self._stored, "r", self._offset, self.shape, self._order
                )
            except (ValueError, OSError) as error:  # somebody cut the file short
                raise _damaged(self.origin, error) from error
        return np.array(array[box], self.dtype)


class Hdf5Array(LargeArray):
    """A data set of an HDF5 file, which each process opens for itself."""

    def __init__(self, path: Path, key: str) -> None:
        """Open the file and look at the declaration of the data set."""
        self.origin = f"{key} of {path}"
        self._path, self._key = path, key
        self._file: Any = None
        self._process = 0
        dataset = self._open()[key]
        self.shape, self.dtype = tuple(dataset.shape or ()), dataset.dtype.newbyteorder("=")

    def read(self, box: Box) -> np.ndarray:
        from ddl.files.guarded_hdf5 import naming_damage

        with naming_damage(lambda error: _damaged(self.origin, error)):
            return np.asarray(self._open()[self._key][box], self.dtype)

    def close(self) -> None:
        if self._file is not None and self._process == os.getpid():
            self._file.close()
        self._file = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": None}

    def _open(self) -> Any:
        """Return this process's open file: HDF5 handles do not survive a fork."""
        with _OPENING:
            if self._file is None or self._process != os.getpid():
                self._file = _open_hdf5(self._path)
                self._process = os.getpid()
            return self._file


def array_names(path: Path) -> tuple[str, ...]:
    """Return the names of the arrays in a file; one without a name in an `.npy`.

    Raises:
        ValueError: it is no file of arrays, or damaged.
    """
    if npy.detect(path) and path.is_file():
        return ("",)
    if npz.detect(path):
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.namelist()
        except archives.DAMAGE as error:
            raise _damaged(str(path), error) from error
        return tuple(name.removesuffix(".npy") for name in members if name.endswith(".npy"))
    if path.is_file() and hdf5.detect(path):
        from ddl.files.guarded_hdf5 import naming_damage

        with naming_damage(lambda error: _damaged(str(path), error)), _open_hdf5(path) as file:
            return tuple(hdf5.dataset_names(file))
    raise ValueError(
        f"Received: {path}, to cut slices from. Expected: one file with an array: HDF5, .npy or .npz."
    )


def open_array(path: Path, key: str, memory_limit: int = MEMORY_LIMIT) -> LargeArray:
    """Open one of `array_names`.

    Args:
        path: the file.
        key: the name of the array in it.
        memory_limit: maximum size of a compressed member of an `.npz`, which is held in memory.

    Raises:
        ValueError: it is damaged, or holds no numbers.
    """
    if npy.detect(path):
        array: LargeArray = MappedArray(npy.map_array(path), str(path))
    elif npz.detect(path):
        stored = npz.read_arrays(path, (key,), memory_limit)["image"]
        array = MappedArray(stored, f"{key} of {path}")
    else:
        from ddl.files.guarded_hdf5 import naming_damage

        with naming_damage(lambda error: _damaged(str(path), error)):
            array = Hdf5Array(path, key)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        array.close()
        raise ValueError(
            f"Received: {array.origin} of dtype {array.dtype}. Expected: integers or floats; convert the array."
        )
    return array


def check_exists(path: Path) -> None:
    """Refuse a path that is not there, or no regular file."""
    check_regular(path)
    if not path.exists():
        raise ValueError(
            f"Received: {path}, which does not exist. Expected: a file with an array to cut slices from: HDF5, .npy or "
            ".npz."
        )


def _open_hdf5(path: Path) -> Any:
    from ddl.files.guarded_hdf5 import GuardedFile

    # Without locks: many ranks read one file, often on a file system without locks.
    return GuardedFile(path, reads_boxes=True, rdcc_nbytes=CHUNK_CACHE_BYTES)


def _damaged(origin: str, error: Exception) -> ValueError:
    why = " ".join(str(error).split())[:160]
    return ValueError(
        f"Received: {origin}, which is damaged ({why}). Expected: an intact file; create it again."
    )


def choose_array(names: Sequence[str], known: Sequence[str], path: Path, wanted: str) -> str:
    """Return the name of the array to take from a file: the only one, or the first known name that it has.

    Args:
        names: those in the file.
        known: names that may stand for it, the likeliest first.
        path: the file, for messages.
        wanted: "inputs" or "targets", for messages.
    """
    if len(names) == 1:
        return names[0]
    found = [name for name in known if name in names]
    if found:
        return found[0]
    shown = ", ".join(names[:20]) + (" and more" if len(names) > 20 else "") or "nothing"
    raise ValueError(
        f"Received: {path} with {shown}, for {wanted} to cut slices from. Expected: a single array, or one named "
        f"{' or '.join(known[:3])}; or name inputs and targets, as in keys=INPUTS,TARGETS."
    )
