"""Arrays in memory or mapped from a file, as a source; shared by the array formats."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ddl.boxes.rows import COLUMNS
from ddl.data.source import Field, Source, checked_indices

MEMORY_LIMIT = 4 << 30  # maximum bytes held in memory for files without random access
_LISTED = 20
MOST_SAMPLES = 1 << 31  # an epoch's order of so many takes 16 GiB
SAMPLE_BYTES = 16 << 30
KNOWN_KEYS = (
    *(("image", "mask"), ("image", "label"), ("images", "masks"), ("images", "labels")),
    *(("x", "y"), ("x_train", "y_train"), ("image", "boxes"), ("images", "boxes")),
    *(("image",), ("images",), ("x",)),
)


class Arrays(Source):
    """Arrays of equal length, the first of pictures, the second (if any) of masks or labels."""

    def __init__(self, arrays: Mapping[str, np.ndarray], origin: str) -> None:
        """Use the arrays by field name; `origin` names them in errors."""
        self._count = check_lengths(arrays, origin)
        self.fields = checked_fields(arrays, origin)
        self._arrays = dict(arrays)

    def __len__(self) -> int:
        return self._count

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        wanted = checked_indices(indices, len(self))
        return {
            name: np.ascontiguousarray(array[wanted], self.fields[name].dtype)
            for name, array in self._arrays.items()
        }

    def read_column(self, name: str) -> np.ndarray:
        return np.asarray(self._arrays[name], self.fields[name].dtype)


def check_lengths(arrays: Mapping[str, Any], origin: str) -> int:
    """Return the common length of arrays or HDF5 data sets; refuse different lengths, and 0."""
    lengths = {name: _length(array.shape) for name, array in arrays.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        listed = ", ".join(f"{length} of {name}" for name, length in lengths.items())
        raise ValueError(f"Received: {origin} with {listed}. Expected: the same number, above 0.")
    count = int(next(iter(lengths.values())))
    if count > MOST_SAMPLES:
        raise ValueError(
            f"Received: {origin} with {count} samples. Expected: at most {MOST_SAMPLES}; divide it into several files."
        )
    return count


def _length(shape: tuple[int, ...] | None) -> int:
    """Return the number of samples: 1 for a single value, 0 for an HDF5 data set of nothing."""
    if shape is None:
        return 0
    return shape[0] if shape else 1


def checked_fields(arrays: Mapping[str, Any], origin: str) -> dict[str, Field]:
    """Return the fields of arrays or HDF5 data sets; refuse those that are not pictures, masks or labels."""
    fields = {}
    for name, array in arrays.items():
        shape, dtype = array.shape[1:], array.dtype
        if dtype.kind not in "biuf":
            raise ValueError(
                f"Received: {name} of dtype {dtype} in {origin}. Expected: integers or floats; convert the array."
            )
        if name in ("image", "mask") and len(shape) not in (3, 4):
            raise ValueError(
                f"Received: {name} of shape {shape} per sample in {origin}. Expected: (height, width, channels), or "
                "(depth, height, width, channels); add an axis for a single channel."
            )
        if name == "boxes" and (len(shape) != 2 or shape[1] != COLUMNS or dtype.kind != "f"):
            raise ValueError(
                f"Received: boxes of shape {shape} and dtype {dtype} per sample in {origin}. Expected: rows of "
                f"{COLUMNS} floats: class, x0, y0, x1, y1, ignored."
            )
        if 0 in shape or math.prod(shape) * dtype.itemsize > SAMPLE_BYTES or dtype.itemsize > 8:
            raise ValueError(
                f"Received: {name} of shape {shape} and dtype {dtype} per sample in {origin}. Expected: 1 byte to "
                f"{SAMPLE_BYTES >> 30} GiB per sample, in numbers of at most 8 bytes."
            )
        fields[name] = Field(shape, dtype.newbyteorder("="))
    return fields


def choose_keys(names: Iterable[str], keys: Sequence[str] | None, origin: str) -> dict[str, str]:
    """Return field name -> stored name: `keys` if given, else the first known pair of names that is present."""
    names = list(names)
    if keys is None and len(names) == 1:  # inputs alone, under any name
        return {"image": names[0]}
    candidates = KNOWN_KEYS if keys is None else (tuple(keys),)
    for candidate in candidates:
        if 1 <= len(candidate) <= 2 and all(key in names for key in candidate):
            target = "boxes" if candidate[-1].rpartition("/")[2] == "boxes" else "target"
            return dict(zip(("image", target), candidate, strict=False))
    expected = " or ".join(", ".join(candidate) for candidate in candidates[:6])
    shown = ", ".join(names[:_LISTED]) + (" and more" if len(names) > _LISTED else "")
    raise ValueError(
        f"Received: {origin} with {shown or 'nothing'}. Expected: {expected}; or name inputs and targets, as in "
        f"keys={','.join(names[:2]) or 'INPUTS,TARGETS'}."
    )


def name_fields(
    arrays: Mapping[str, np.ndarray],
    origin: str = "",
    *,
    channels_first: bool = False,
    label_base: int = 0,
) -> dict[str, np.ndarray]:
    """Return "label" for a target with one value per sample, also of shape (samples, 1); else "mask".

    Args:
        arrays: inputs, then targets, if any.
        origin: names the data in errors.
        channels_first: whether pictures are stored as (channels, height, width); they are returned with channels last.
        label_base: number of the first class; labels are returned counted from 0.
    """
    image, *targets = arrays.values()
    targets = [t[:, 0] if t.ndim == 2 and t.shape[1] == 1 else t for t in targets]
    if channels_first:
        if image.ndim not in (4, 5) or any(t.ndim > 1 for t in targets):
            raise ValueError(
                f"Received: channels_first=true for {origin} with inputs of shape {image.shape}. Expected: pictures of "
                "(samples, channels, height, width) with labels."
            )
        image = np.moveaxis(image, 1, -1)
    if label_base:
        if not targets or targets[0].ndim != 1 or targets[0].dtype.kind not in "biu":
            raise ValueError(
                f"Received: label_base={label_base} for {origin} without labels. Expected: one integer per sample."
            )
        targets = [t.astype(np.int64) - label_base for t in targets]
    last = [*arrays][-1]
    return {"image": image, **{target_name(last, t.ndim): t for t in targets}}


def target_name(key: str, axes: int) -> str:
    """Return what stored targets are: "boxes" by their name, "label" with one value per sample, else "mask"."""
    if key.rpartition("/")[2] == "boxes":
        return "boxes"
    return "label" if axes == 1 else "mask"
