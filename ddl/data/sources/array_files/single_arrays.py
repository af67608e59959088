"""Arrays of `.npy`, `.npz` and HDF5 files one by one: a name, a form from the file's header, and a way to read it."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.sources.array_files import npy, npz

SUFFIXES = {".npy": "npy", ".npz": "npz", ".h5": "hdf5", ".hdf5": "hdf5"}
_OPENING = threading.Lock()


@dataclass(frozen=True)
class StoredArray:
    """One array of a file.

    Attributes:
        name: the file without its suffix, relative to the folder that was opened; in a file of several arrays, that of
            the array, with / for groups.
        origin: what messages call it.
        shape: as stored.
        dtype: as stored.
        read: returns its values, perhaps mapped.
    """

    name: str
    origin: str
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]


def find_arrays(path: Path) -> list[StoredArray]:
    """Return the arrays of a file, or of all files of one kind in a folder and below it, sorted by name.

    Raises:
        ValueError: there are none, or they are of several kinds, or a file is damaged.
    """
    if not path.is_dir():
        return _arrays_of(path, path.stem)
    files = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    )
    kinds = sorted({SUFFIXES[file.suffix.lower()] for file in files})
    if len(kinds) != 1:
        raise ValueError(
            f"Received: {path} with {' and '.join(kinds) or 'no'} files of arrays. Expected: files of one kind, "
            f"{', '.join(SUFFIXES)}."
        )
    return [
        array
        for file in files
        for array in _arrays_of(file, file.relative_to(path).with_suffix("").as_posix(), len(files))
    ]


def _arrays_of(file: Path, name: str, files: int = 1) -> list[StoredArray]:
    """Return the arrays of one of `files` files."""
    kind = SUFFIXES.get(file.suffix.lower())
    if kind == "npy":
        form = npy.read_form(file)
        read = functools.partial(npy.map_array, file)
        return [StoredArray(name, str(file), form.shape, form.dtype, read)]
    if kind is None:
        raise ValueError(f"Received: {file}. Expected: a file that ends in {', '.join(SUFFIXES)}.")
    stored = _npz_arrays(file) if kind == "npz" else _hdf5_arrays(file, files == 1)
    if not stored:
        raise ValueError(f"Received: {file} without arrays. Expected: one or more.")
    # The only array of a file has the file's name, so that inputs.h5 of `x` is paired with targets.h5 of `y`.
    alone = len(stored) == 1
    return [
        StoredArray(
            name if alone else (key if files == 1 else f"{name}/{key}"),
            f"{key} of {file}",
            *form,
            functools.partial(read, key),
        )
        for key, (form, read) in stored.items()
    ]


_Stored = dict[str, tuple[tuple[tuple[int, ...], np.dtype], Callable[[str], np.ndarray]]]


def _npz_arrays(file: Path) -> _Stored:
    read = functools.partial(npz.read_member, file)
    headers = npz.read_headers(file)
    return {key: ((headers[key].shape, headers[key].dtype), read) for key in sorted(headers)}


def _hdf5_arrays(file: Path, keeps_open: bool) -> _Stored:
    opened = Hdf5Arrays(file, keeps_open=keeps_open)
    forms = opened.forms()
    return {key: (forms[key], opened.read) for key in sorted(forms)}


class Hdf5Arrays:
    """The data sets of one HDF5 file, which each process opens for itself, for each read or once.

    Of many files none stays open: a process may open only so many.
    """

    def __init__(self, path: Path, *, keeps_open: bool) -> None:
        self._path, self._keeps_open = path, keeps_open
        self._file: Any = None
        self._process = 0

    def forms(self) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
        """Return the shape and dtype of every data set, those in groups as "group/name"."""
        found: dict[str, tuple[tuple[int, ...], np.dtype]] = {}

        def add(name: str, item: Any) -> None:
            if hasattr(item, "chunks"):
                found[name] = (item.shape or (), item.dtype)

        with self._naming_damage(), self._opened() as file:
            file.visititems(add)
        return found

    def read(self, key: str) -> np.ndarray:
        """Return the values of a data set."""
        with self._naming_damage(), self._opened() as file:
            return np.asarray(file[key][()])

    def _naming_damage(self) -> Any:
        from ddl.files.guarded_hdf5 import naming_damage

        return naming_damage(self._damaged)

    def _damaged(self, error: Exception) -> Exception:
        why = " ".join(str(error).split())[:160]
        return ValueError(
            f"Received: {self._path}, which is damaged ({why}). Expected: an intact HDF5 file; create it again."
        )

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the open file: another process opens its own."""
        return self.__dict__ | {"_file": None}

    def _opened(self) -> Any:
        """Return the file for a `with` block, which closes it unless it is to stay open."""
        from ddl.files.guarded_hdf5 import GuardedFile

        if not self._keeps_open:
            return GuardedFile(self._path)
        with _OPENING:
            if self._file is None or self._process != os.getpid():
                self._file, self._process = GuardedFile(self._path), os.getpid()
            return contextlib.nullcontext(self._file)
