"""The interface of everything that provides samples: `Source`."""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ddl.data.description import describe_form, describe_samples


@dataclass(frozen=True)
class Field:
    """One part of a sample, such as its picture.

    Attributes:
        shape: of one sample: (height, width, channels) of a picture, () of a label.
        dtype: as `read` returns it.
    """

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def nbytes(self) -> int:
        """Size in bytes, per sample."""
        return math.prod(self.shape) * self.dtype.itemsize


class Source(ABC):
    """Samples that can be read in any order, a batch at a time.

    Your own source defines `fields`, `__len__` and `read`. Everything else has a default:

        class Squares(Source):
            fields = {
                "image": Field((64, 64, 1), np.dtype(np.float32)),
                "mask": Field((64, 64, 1), np.dtype(np.uint8)),
            }

            def __len__(self) -> int:
                return 500

            def read(self, indices):
                masks = np.zeros((len(indices), 64, 64, 1), np.uint8)
                for mask, index in zip(masks, indices):
                    mask[: index % 60 + 4, : index % 60 + 4] = 1
                return {"image": masks.astype(np.float32), "mask": masks}

    Memory stays bounded, because a source does not keep what it has read. Only compressed arrays and gzipped IDX files,
    which allow no random access, are held whole, up to a stated limit. A source may be passed to another process before
    or after its first read; each process opens its own files. Several threads may read at once, but not while another
    closes.

    Attributes:
        fields: the parts of a sample: first the model's input ("image"), then its target ("mask" or "label"), if any.
        source: the underlying source, for a view.
    """

    fields: Mapping[str, Field]
    source: Source | None = None

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of samples."""

    @abstractmethod
    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """Return the samples with these indices, in this order: an array of shape (len(indices), *shape) per field."""

    def read_epoch(self, epoch: int, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """Return samples as training has them in an epoch (counted from 0): by default as in any other."""
        del epoch
        return self.read(indices)

    def close(self) -> None:
        """Close open files. Closing twice is allowed; the next read opens them again."""
        return

    def read_column(self, name: str) -> np.ndarray | None:
        """Return a field of all samples, or None if that would read everything."""
        return None

    def name_of(self, index: int) -> str:
        """Return the name of a sample: its file if the source knows it, otherwise its number."""
        return str(index)

    @functools.cached_property
    def class_names(self) -> tuple[str, ...]:
        """A name for each label, where they are known. A class attribute of this name also works."""
        return ()

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What `prepare_data` wrote about the file, or nothing."""
        return {}

    @property
    def mask_values(self) -> tuple[int, ...]:
        """The class numbers that masks hold, in order, where they are known without reading all masks."""
        return ()

    @property
    def value_range(self) -> tuple[float, float] | None:
        """The stored values that become 0 and 1; None for the whole range of the type."""
        return None

    def stored_values(self, index: int) -> np.ndarray:
        """Return the picture of a sample as it is stored, before `value_range` is applied."""
        picture: np.ndarray = next(iter(self.read([index]).values()))[0]
        return picture

    @property
    def mask_mode(self) -> str:
        """How masks were read: "binary" (all but black is foreground), "classes" (class numbers), "" if unknown."""
        return ""

    def stored_mask(self, index: int) -> np.ndarray | None:
        """Return the numbers or colours in the file of a binary mask, (..., 1 or 3); None where they are not kept."""
        return None

    def describe(self) -> str:
        """Return what the data were taken for, in one line: "30 pictures with masks, 512x512 grey"."""
        (_, image), *targets = self.fields.items()
        target = targets[0][0] if targets else ""
        form, axes = describe_form(image.shape, image.dtype), len(image.shape) - 1
        classes = {"label": self._count_labels, "boxes": self._boxes_of_classes}.get(target, dict)()
        return describe_samples(len(self), form, axes, target, classes, self.mask_values)

    def count_boxes(self) -> dict[str, int]:
        """Return class name -> number of boxes; empty where that would read everything."""
        return {}

    def _boxes_of_classes(self) -> Mapping[str, int | None]:
        """Return class name -> number of boxes, None where it is not known."""
        return self.count_boxes() or dict.fromkeys(self.class_names)

    def _count_labels(self) -> dict[str, int]:
        """Return class name -> number of samples; empty where the labels are not known without reading all."""
        labels = self.read_column("label")
        if labels is None or labels.dtype.kind not in "biu" or labels.ndim != 1:
            return {}
        names = self.class_names
        counts = dict(
            zip(*(part.tolist() for part in np.unique(labels, return_counts=True)), strict=True)
        )
        known = sorted({*counts, *range(len(names))})
        return {
            names[label] if 0 <= label < len(names) else str(label): counts.get(label, 0)
            for label in known
        }


class View(Source):
    """A changed view of another source. By default it passes everything on except `read` and `read_column`."""

    source: Source

    def __init__(self, source: Source) -> None:
        """Wrap `source`, which is closed with this one."""
        self.source = source
        self.fields = source.fields

    def __len__(self) -> int:
        return len(self.source)

    @functools.cached_property
    def class_names(self) -> tuple[str, ...]:
        return self.source.class_names

    @property
    def manifest(self) -> Mapping[str, Any]:
        return self.source.manifest

    @property
    def mask_values(self) -> tuple[int, ...]:
        return self.source.mask_values

    @property
    def value_range(self) -> tuple[float, float] | None:
        return self.source.value_range

    def stored_values(self, index: int) -> np.ndarray:
        return self.source.stored_values(index)

    @property
    def mask_mode(self) -> str:
        return self.source.mask_mode

    def stored_mask(self, index: int) -> np.ndarray | None:
        return self.source.stored_mask(index)

    def describe(self) -> str:
        """Return what the source was taken for: a split is described as the whole file."""
        return self.source.describe()

    def name_of(self, index: int) -> str:
        return self.source.name_of(index)

    def close(self) -> None:
        self.source.close()


class Subset(View):
    """Some samples of another source, in the order given: a split, a fold, a rank's block."""

    def __init__(self, source: Source, indices: Sequence[int] | np.ndarray) -> None:
        """Take the samples `indices` of `source`, which is closed with this one."""
        super().__init__(source)
        self.indices = checked_indices(indices, len(source))

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        return self.source.read(self.indices[checked_indices(indices, len(self))])

    def read_epoch(self, epoch: int, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        return self.source.read_epoch(epoch, self.indices[checked_indices(indices, len(self))])

    def read_column(self, name: str) -> np.ndarray | None:
        column = self.source.read_column(name)
        return None if column is None else column[self.indices]

    def stored_values(self, index: int) -> np.ndarray:
        return self.source.stored_values(int(self.indices[index]))

    def stored_mask(self, index: int) -> np.ndarray | None:
        return self.source.stored_mask(int(self.indices[index]))

    def name_of(self, index: int) -> str:
        return self.source.name_of(int(self.indices[index]))


def origin_of(source: Source) -> Source:
    """Return the innermost source, which knows the file, below subsets and other views."""
    while source.source is not None:
        source = source.source
    return source


def numbers_in_origin(source: Source) -> np.ndarray:
    """Return the number that each sample has in the innermost source: those of a subset are changed, no others."""
    if isinstance(source, Subset):
        numbers: np.ndarray = numbers_in_origin(source.source)[source.indices]
        return numbers
    return np.arange(len(source)) if source.source is None else numbers_in_origin(source.source)


def empty_batch(fields: Mapping[str, Field], count: int) -> dict[str, np.ndarray]:
    """Return uninitialised arrays for `count` samples."""
    return {name: np.empty((count, *field.shape), field.dtype) for name, field in fields.items()}


def checked_indices(indices: Sequence[int] | np.ndarray, count: int) -> np.ndarray:
    """Return `indices` as int64, or raise ValueError unless they are a list of integers from 0 to `count` - 1."""
    array = np.asarray(indices)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(
            f"Received: indices of dtype {array.dtype} and shape {array.shape}. "
            "Expected: a list of integers."
        )
    wrong = array[(array < 0) | (array >= count)]
    if len(wrong):
        raise ValueError(f"Received: index {wrong[0]}. Expected: 0 to {count - 1}.")
    return array.astype(np.int64)
