"""Labelled pictures of many folders, kept as one text of names: 10^6 take 40 MB, which as paths would take 500."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from ddl.data.pictures.listing import Sample
from ddl.data.pictures.picture_file import SUFFIXES


class PictureTable(Sequence[Sample]):
    """Samples with labels, in the order of their folders, and by name in each folder."""

    def __init__(self, groups: Iterable[tuple[Path, Sequence[str], Sequence[int] | int]]) -> None:
        """Use the pictures of (folder, names, label or labels of the names)."""
        self._folders: list[Path] = []
        self._text = bytearray()
        folders, lengths, labels = [], [], []
        for folder, names, label in groups:
            encoded = [os.fsencode(name) for name in names]
            self._text += b"".join(encoded)
            folders.append(np.full(len(names), len(self._folders), np.int32))
            lengths.append(np.fromiter(map(len, encoded), np.int64, len(encoded)))
            labels.append(np.broadcast_to(np.asarray(label, np.int64), len(names)))
            self._folders.append(folder)
        none = [np.empty(0, np.int64)]
        self._folder = np.concatenate(folders or none)
        self._ends = np.cumsum(np.concatenate(lengths or none))
        self.labels = np.concatenate(labels or none)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Sample, ...]: ...

    def __getitem__(self, index: int | slice) -> Sample | tuple[Sample, ...]:
        if isinstance(index, slice):
            return tuple(self[number] for number in range(*index.indices(len(self))))
        number = range(len(self))[index]
        start = int(self._ends[number - 1]) if number else 0
        name = os.fsdecode(bytes(self._text[start : int(self._ends[number])]))
        folder = self._folders[int(self._folder[number])]
        return Sample(folder / name, label=int(self.labels[number]))


def labels_of(samples: Sequence[Sample]) -> np.ndarray:
    """Return the labels of samples that have some, int64."""
    if isinstance(samples, PictureTable):
        return samples.labels
    return np.array([sample.label for sample in samples], np.int64)


def picture_names(folder: Path) -> list[str]:
    """Return the names of the pictures directly in a folder, sorted. Asks the disk only about links."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if _is_picture(entry))


def has_picture(folder: Path) -> bool:
    """Return whether a picture is directly in a folder; stops at the first one."""
    with os.scandir(folder) as entries:
        return any(map(_is_picture, entries))


def _is_picture(entry: os.DirEntry[str]) -> bool:
    name = entry.name
    return name.lower().endswith(SUFFIXES) and not name.startswith(".") and entry.is_file()
