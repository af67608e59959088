"""Slices of one large array, or of one of inputs and one of targets, as samples. Memory does not grow with the file.

source = open_slices(Path("volume.h5"), parse_slicers(["sizes=64,64,64 strides=32,64,64"]))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ddl.data.description import describe_form, describe_samples
from ddl.data.slicing.boxes import Box, Slices, sides_of
from ddl.data.slicing.large_array import (
    MOST_BYTES,
    LargeArray,
    array_names,
    check_exists,
    choose_array,
    open_array,
)
from ddl.data.slicing.slicer import Slicer
from ddl.data.source import (
    Field,
    Source,
    checked_indices,
    empty_batch,
    numbers_in_origin,
    origin_of,
)
from ddl.data.sources.arrays import KNOWN_KEYS, MEMORY_LIMIT
from ddl.data.sources.ranged import with_range

_INPUTS = ("input", "inputs", *dict.fromkeys(names[0] for names in KNOWN_KEYS))
_TARGETS = (
    *("target", "targets"),
    *dict.fromkeys(names[1] for names in KNOWN_KEYS if len(names) > 1),
)


class SlicedArrays(Source):
    """Boxes of an array of inputs and, at the same places, of an array of targets. Counting them reads nothing."""

    def __init__(
        self, slicers: Sequence[Slicer], inputs: LargeArray, targets: LargeArray | None, target: str
    ) -> None:
        """Cut both arrays alike; `target` is the field's name.

        Raises:
            ValueError: they cannot be cut so, or differ in more than channels.
        """
        self._slicers = tuple(slicers)
        self._arrays = {"image": inputs} | ({} if targets is None else {target: targets})
        sides = sides_of(inputs.shape, slicers, inputs.origin)
        if targets is not None and sides_of(targets.shape, slicers, targets.origin) != sides:
            raise ValueError(
                f"Received: {inputs.origin} of shape {_by(inputs.shape)}, with targets of {_by(targets.shape)} in "
                f"{targets.origin}. Expected: the same sides; only channels may differ."
            )
        self.slices = Slices(sides, slicers)
        axes = len(sides)
        self.fields = {
            name: Field(
                (*self.slices.sample_sides, array.shape[0] if len(array.shape) > axes else 1),
                array.dtype,
            )
            for name, array in self._arrays.items()
        }
        if max(field.nbytes for field in self.fields.values()) > MOST_BYTES:
            raise ValueError(
                f"Received: slices of {_by(self.fields['image'].shape)} from {inputs.origin}. Expected: at most "
                f"{MOST_BYTES >> 30} GiB each; give smaller sizes."
            )

    def __len__(self) -> int:
        return len(self.slices)

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        wanted = checked_indices(indices, len(self))
        batch = empty_batch(self.fields, len(wanted))
        for name, array in self._arrays.items():
            read = _channel_first(array, len(self.slices.sets[0].sides))
            for row, index in enumerate(wanted):
                batch[name][row] = self.slices.cut(int(index), read)
        return batch

    def name_of(self, index: int) -> str:
        return self.slices.name_of(index)

    def describe(self) -> str:
        image, *targets = self.fields
        field = self.fields[image]
        form, axes = describe_form(field.shape, field.dtype), len(field.shape) - 1
        target = targets[0] if targets else ""
        samples = describe_samples(len(self), form, axes, target)
        one, *_ = self._arrays.values()
        counts = ", ".join(f"{each.slicer.name} ({each.count})" for each in self.slices.sets)
        return f"{samples}, cut from {_by(one.shape)}: {counts}"

    def close(self) -> None:
        for array in self._arrays.values():
            array.close()


def slices_of(source: Source) -> tuple[Slices, np.ndarray]:
    """Return all slices of the array that samples are cut from, and the number of each sample's slice.

    Raises:
        ValueError: they are no slices.
    """
    origin = origin_of(source)
    if not isinstance(origin, SlicedArrays):
        raise ValueError(
            f"Received: samples of class {type(origin).__name__}, to assemble their predictions. Expected: slices of "
            "one array, as slicer cuts them."
        )
    return origin.slices, numbers_in_origin(source)


def open_slices(
    path: Path,
    slicers: Sequence[Slicer],
    *,
    target_path: Path | None = None,
    target: str = "mask",
    keys: tuple[str, ...] | None = None,
    target_keys: tuple[str, ...] | None = None,
    range: str | tuple[float, float] | None = None,  # noqa: A002
    memory_limit: int = MEMORY_LIMIT,
) -> Source:
    """Open an array of inputs, and one of targets if there is one. Reads headers only, unless `range` needs values.

    Args:
        path: the file of inputs: HDF5, `.npy` or `.npz`. The first axis of an array is that of channels if it has one
            more than the slicers.
        slicers: what `parse_slicers` returns.
        target_path: the file of targets; by default that of inputs, if it holds an array of targets as well.
        target: the name of the field of targets: "mask", or another.
        keys: names of inputs and targets in the files; by default the only array, or "input" and "target", "image" and
            "mask", and similar names.
        target_keys: name of the targets in `target_path`.
        range: the stored values that become 0 and 1, see `ddl.data.value_range`.
        memory_limit: maximum size of a compressed member of an `.npz`, which is held in memory.

    Raises:
        ValueError: a file is missing or damaged, or the arrays cannot be cut so.
    """
    places = _places(path, target_path, keys, target_keys)
    opened: list[LargeArray] = []
    try:
        for file, key in places:
            opened.append(open_array(file, key, memory_limit))
        source = SlicedArrays(slicers, opened[0], opened[1] if opened[1:] else None, target)
    except BaseException:
        for array in opened:
            array.close()
        raise
    return with_range(source, range)


def _places(
    path: Path,
    target_path: Path | None,
    keys: tuple[str, ...] | None,
    target_keys: tuple[str, ...] | None,
) -> list[tuple[Path, str]]:
    """Return file and name of the array of inputs, and of that of targets if there is one."""
    keys, target_keys = keys or (), target_keys or ()
    if len(keys) > 2 or len(target_keys) > 1 or (keys[1:] and target_keys):
        raise ValueError(
            f"Received: keys={','.join((*keys, *target_keys))}. Expected: the name of the inputs, and that of "
            "targets if there are any."
        )
    check_exists(path)
    names = array_names(path)
    inputs = _chosen(keys[:1], names, _INPUTS, path, "inputs")
    wanted = keys[1:] or target_keys
    if target_path is None and not wanted:
        found = [name for name in _TARGETS if name in names and name != inputs]
        return [(path, inputs), *((path, name) for name in found[:1])]
    targets = target_path or path
    check_exists(targets)
    # The only array of one file may be input and target, as for an autoencoder.
    return [
        (path, inputs),
        (targets, _chosen(wanted, array_names(targets), _TARGETS, targets, "targets")),
    ]


def _chosen(
    given: Sequence[str], names: Sequence[str], known: Sequence[str], path: Path, what: str
) -> str:
    """Return the name that is given, if the file has it; without one the likeliest of those in the file."""
    if not given:
        return choose_array(names, known, path, what)
    _check_key(given[0], names, path)
    return given[0]


def _check_key(key: str, names: Sequence[str], path: Path) -> None:
    if key not in names:
        shown = ", ".join(names[:20]) or "nothing"
        raise ValueError(
            f"Received: keys with {key} for {path}, which has {shown}. Expected: names of arrays in it."
        )


def _channel_first(array: LargeArray, axes: int) -> Callable[[Box], np.ndarray]:
    """Return a function that reads (channels, *sides) of a box without channels."""
    if len(array.shape) == axes:
        return lambda box: array.read(box)[None]
    return lambda box: array.read((slice(0, array.shape[0]), *box))


def _by(sides: Sequence[int]) -> str:
    return "x".join(map(str, sides))
