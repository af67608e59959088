"""HDF5 files: read by chunks on demand, and opened separately by each process."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.source import Source, Subset, checked_indices, empty_batch
from ddl.data.sources.arrays import check_lengths, checked_fields, choose_keys, target_name
from ddl.data.sources.ranged import with_range
from ddl.data.splits import SPLITS
from ddl.data.value_range import from_json
from ddl.files import parse_json
from ddl.ranges import check_choice

# Per data set. Set explicitly, because HDF5's default grows with its versions.
CHUNK_CACHE_BYTES = 1 << 20
_DAMAGE = (OSError, RuntimeError, KeyError)  # errors of h5py for a damaged file
_OPENING = threading.Lock()
_MOST_NAMES = 100  # data sets that are looked for in groups


def detect(path: Path) -> bool:
    """Return whether the file has HDF5's suffix or first bytes."""
    if path.suffix in (".h5", ".hdf5"):
        return True
    if not path.is_file():  # false for pipes and devices, too
        return False
    with path.open("rb") as file:
        return file.read(8) == b"\x89HDF\r\n\x1a\n"


def open_source(
    path: Path,
    *,
    keys: tuple[str, ...] | None = None,
    range: str | None = None,  # noqa: A002
    split: str | None = None,
    fold: int | None = None,
) -> Source:
    """Open two data sets of a file, inputs and targets.

    Args:
        path: the file.
        keys: names of inputs and targets in it; by default "image" and "mask" or "label", and similar names.
        range: the stored values that become 0 and 1, see `ddl.data.value_range`.
        split: "train", "validation" or "test" of a file made by `prepare_data`; by default all samples.
        fold: in a file with folds, "validation" is this fold and "train" the others.
    """
    source = Hdf5(path, keys)
    ranged = with_range(source, range)
    if split is None and fold is None:
        return ranged
    try:
        check_choice("split", split, SPLITS)
        return Subset(ranged, source.split_indices(str(split), fold))
    except ValueError:
        source.close()
        raise


def has_splits(path: Path, keys: tuple[str, ...] | None = None) -> bool:
    """Return whether a file assigns its samples to splits. `keys` are those of its inputs and targets."""
    with contextlib.closing(Hdf5(path, keys)) as source:
        return source.has("split")


def splits(path: Path, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return all splits for a file that assigns its samples to them, none for others."""
    return SPLITS if has_splits(path, options.get("keys")) else ()


class Hdf5(Source):
    """Pictures and targets in one HDF5 file. Holds only HDF5's chunk cache in memory (1 MiB per data set)."""

    def __init__(
        self, path: Path, keys: tuple[str, ...] | None = None, first: str = "image"
    ) -> None:
        """Open the file and check its contents; `first` is the name of its first field."""
        self.path, self._first = path, first
        self._file: Any = None
        self._process = 0
        try:
            self._read_form(keys)
        except _DAMAGE as error:
            raise self._damaged(error) from error

    def _read_form(self, keys: Sequence[str] | None) -> None:
        """Find inputs and targets, and the shape and dtype of their samples."""
        file, origin = self._open(), str(self.path)
        datasets = dataset_names(file)
        stored = {key: file[key] for key in choose_keys(datasets, keys, origin).values()}
        self._count = check_lengths(stored, origin)
        *_, (key, last) = stored.items()
        target = target_name(key, last.ndim)
        self._keys = dict(zip((self._first, target), stored, strict=False))
        self.fields = checked_fields(
            {name: stored[key] for name, key in self._keys.items()}, origin
        )

    def __len__(self) -> int:
        return self._count

    @property
    def manifest(self) -> dict[str, Any]:
        file = self._open()
        if "manifest" not in file:
            return {}
        try:
            return checked_manifest(parse_json(file["manifest"][()]))
        except (*_DAMAGE, ValueError, TypeError) as error:
            raise self._damaged(error, "damaged in manifest") from error

    @functools.cached_property
    def class_names(self) -> tuple[str, ...]:
        return tuple(self.manifest.get("class_names") or ())

    @functools.cached_property
    def mask_values(self) -> tuple[int, ...]:
        try:
            return tuple(int(value) for value in self.manifest.get("mask_values") or ())
        except (TypeError, ValueError) as error:
            raise self._damaged(error, "damaged in manifest") from error

    @property
    def mask_mode(self) -> str:
        if "mask" not in self.fields:
            return ""
        return str(dict(self.manifest.get("options") or {}).get("mask_mode", ""))

    @functools.cached_property
    def value_range(self) -> tuple[float, float] | None:
        try:
            return from_json(dict(self.manifest.get("options") or {}).get("range"))
        except (TypeError, ValueError) as error:
            raise self._damaged(error, "damaged in manifest") from error

    def count_boxes(self) -> dict[str, int]:
        counts = self.manifest.get("box_counts") or ()
        if len(counts) != len(self.class_names) or not all(isinstance(n, int) for n in counts):
            return {}
        return dict(zip(self.class_names, counts, strict=True))

    def has(self, name: str) -> bool:
        """Return whether the file has a data set of this name, such as "split"."""
        return name in self._open()

    def split_indices(self, split: str, fold: int | None = None) -> np.ndarray:
        """Return the samples of a split, in the order of the file."""
        name = "split" if fold is None else "fold"
        if not self.has(name):
            raise ValueError(
                f"Received: {self.path} without {name}s. Expected: a file with {name}s, made by prepare_data."
            )
        stored = self._read_all(name)
        if stored.shape != (len(self),) or stored.dtype.kind not in "iu":
            raise ValueError(
                f"Received: {self.path}, where {name} has type {stored.dtype} and shape {stored.shape}. Expected: an "
                f"integer for each of the {len(self)} samples, as prepare_data writes it."
            )
        if fold is None:
            return np.flatnonzero(stored == SPLITS.index(split))
        folds = int(stored.max()) + 1
        if not 0 <= fold < folds or split == "test":
            raise ValueError(
                f"Received: split={split!r}, fold={fold}. Expected: train or validation, of folds 0 to {folds - 1}."
            )
        rest = (stored != fold) & (stored >= 0)  # -1: in the test split, which is never trained on
        return np.flatnonzero(stored == fold if split == "validation" else rest)

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """Return these samples; neighbours in the file are read together."""
        wanted = checked_indices(indices, len(self))
        file = self._open()
        batch = empty_batch(self.fields, len(wanted))
        for name, key in self._keys.items():
            try:
                _read_into(file[key], wanted, batch[name])
            except _DAMAGE as error:
                problem = f"damaged in {key}{_first_bad(file, key, wanted)}"
                raise self._damaged(error, problem) from error
        return batch

    def read_column(self, name: str) -> np.ndarray | None:
        if name != "label":
            return None
        return self._read_all(self._keys[name]).astype(self.fields[name].dtype, copy=False)

    def _read_all(self, key: str) -> np.ndarray:
        try:
            return np.asarray(self._open()[key][()])
        except _DAMAGE as error:
            raise self._damaged(error, f"damaged in {key}") from error

    @functools.cached_property
    def _names(self) -> dict[int, str]:
        samples = enumerate(self.manifest.get("samples", ()))
        return {number: str(sample["name"]) for number, sample in samples if "name" in sample}

    def name_of(self, index: int) -> str:
        return self._names.get(index, str(index))

    def close(self) -> None:
        if self._file is not None and self._process == os.getpid():
            self._file.close()
        self._file = None

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the open file: another process opens its own."""
        return self.__dict__ | {"_file": None}

    def _damaged(self, error: Exception, problem: str = "damaged") -> ValueError:
        why = " ".join(str(error).split())[:160]
        return ValueError(
            f"Received: {self.path}, {problem} ({why}). Expected: an intact file; create it again."
        )

    def _open(self) -> Any:
        """Return this process's open file: HDF5 handles do not survive a fork."""
        from ddl.files.guarded_hdf5 import GuardedFile

        with _OPENING:  # reading threads share one handle
            if self._file is None or self._process != os.getpid():
                try:
                    # Without locks: many ranks read one file, often on a file system without locks.
                    self._file = GuardedFile(self.path, rdcc_nbytes=CHUNK_CACHE_BYTES)
                except _DAMAGE as error:
                    raise self._damaged(error, "which is not an intact HDF5 file") from error
                self._process = os.getpid()
            return self._file


def dataset_names(file: Any) -> list[str]:
    """Return the names of the data sets of a file, those in groups as "group/name"."""
    names = [name for name in file if hasattr(file[name], "chunks")]

    def add(name: str, item: Any) -> bool | None:
        if "/" in name and hasattr(item, "chunks"):
            names.append(name)
        return True if len(names) >= _MOST_NAMES else None

    file.visititems(add)
    return names


def checked_manifest(values: Any) -> dict[str, Any]:
    """Return what `prepare_data` wrote about a file; refuse other types than it writes."""
    kinds = {
        "class_names": list,
        "samples": list,
        "options": dict,
        "box_counts": list,
        "category_ids": list,
    }
    if not isinstance(values, dict):
        raise ValueError("not a JSON object")
    for name, kind in kinds.items():
        if not isinstance(values.get(name) or kind(), kind):
            raise ValueError(f"{name} of type {type(values[name]).__name__}")
    for name, kind in (("class_names", str), ("samples", dict)):
        if not all(isinstance(value, kind) for value in values.get(name) or ()):
            raise ValueError(f"other values in {name} than prepare_data writes")
    return values


def _read_into(dataset: Any, wanted: np.ndarray, out: np.ndarray) -> None:
    """Fill `out` with the samples `wanted`, in the file's order, each run of neighbours in one call."""
    if not len(wanted):
        return
    rows = np.argsort(wanted, kind="stable")
    breaks = np.flatnonzero(np.diff(wanted[rows]) != 1) + 1
    for run in np.split(rows, breaks):
        start = int(wanted[run[0]])
        out[run] = dataset[start : start + len(run)]


def _first_bad(file: Any, key: str, wanted: np.ndarray) -> str:
    """Return which of the samples cannot be read."""
    for index in wanted:
        try:
            file[key][int(index)]
        except _DAMAGE:
            return f", sample {index}"
    return ""
