"""What every origin of samples looks like to the rest of the package: a `Source`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Field:
    """One part of a sample, such as its picture.

    Attributes:
        shape: of one sample: (height, width, channels) of a picture, () of a label.
        dtype: as `read` returns it.
    """

    shape: tuple[int, ...]
    dtype: np.dtype


class Source(Protocol):
    """Samples that can be read in any order, a batch at a time.

    Memory is bounded by what `read` returns: a source never holds what it has read. Only compressed arrays and
    gzipped IDX files, which allow no random access, are held whole, up to a stated limit. A source may be handed to
    another process before or after its first read; each process opens files of its own. Threads may read at once, but
    not while another closes.
    """

    @property
    def fields(self) -> Mapping[str, Field]:
        """The parts of a sample: first what the model sees ("image"), then its target ("mask" or "label"), if any."""
        ...

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """Return the samples with these indices, in this order: an array of shape (len(indices), *shape) per field."""
        ...

    def close(self) -> None:
        """Let go of open files. Closing twice is allowed; reading again opens them again."""
        ...


class Subset:
    """Some samples of another source, in the order given: a split, a fold, a rank's block."""

    def __init__(self, source: Source, indices: Sequence[int] | np.ndarray) -> None:
        """Take the samples `indices` of `source`, which is closed with this one."""
        self.source = source
        self._indices = checked_indices(indices, len(source))

    @property
    def fields(self) -> Mapping[str, Field]:
        """The parts of a sample."""
        return self.source.fields

    @property
    def indices(self) -> np.ndarray:
        """Which samples of the other source these are."""
        return self._indices

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._indices)

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """Return the samples with these indices of the subset."""
        return self.source.read(self._indices[checked_indices(indices, len(self))])

    def read_column(self, name: str) -> np.ndarray | None:
        """Return a field of all samples, or None where that means reading everything."""
        column = read_column(self.source, name)
        return None if column is None else column[self._indices]

    def name_of(self, index: int) -> str:
        """Return what people call a sample of the subset."""
        return name_of(self.source, int(self._indices[index]))

    def close(self) -> None:
        """Close the source beneath."""
        self.source.close()


def name_of(source: Source, index: int) -> str:
    """Return what people call a sample: the name of its file where the source knows it, else its number."""
    namer = getattr(source, "name_of", None)
    return str(index) if namer is None else str(namer(index))


def read_column(source: Source, name: str) -> np.ndarray | None:
    """Return a field of all samples of a source that can tell it without reading the others; else None."""
    reader = getattr(source, "read_column", None)
    return None if reader is None else reader(name)


def origin_of(source: Source) -> Source:
    """Return what lies beneath subsets and the like: the source that knows the file."""
    while (beneath := getattr(source, "source", None)) is not None:
        source = beneath
    return source


def empty_batch(fields: Mapping[str, Field], count: int) -> dict[str, np.ndarray]:
    """Return room for `count` samples."""
    return {name: np.empty((count, *field.shape), field.dtype) for name, field in fields.items()}


def checked_indices(indices: Sequence[int] | np.ndarray, count: int) -> np.ndarray:
    """Return `indices` as int64, or refuse what is no list of samples from 0 to `count` - 1."""
    array = np.asarray(indices)
    if array.size == 0 and array.ndim == 1:
        return array.astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(
            f"Received: indices of dtype {array.dtype} and shape {array.shape}. "
            "Expected: a list of integers."
        )
    if array.min() < 0 or array.max() >= count:
        wrong = array.min() if array.min() < 0 else array.max()
        raise ValueError(f"Received: index {wrong}. Expected: 0 to {count - 1}.")
    return array.astype(np.int64)
