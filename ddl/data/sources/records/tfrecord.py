"""TFRecord shards of tf.train.Example, in any order: pictures (JPEG, PNG, ...) or raw bytes, with labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.pictures.conversion import CHANNELS, DEPTHS, Conversion
from ddl.data.pictures.picture_file import PIXEL_LIMIT, read_picture
from ddl.data.source import Field, Source, checked_indices, empty_batch
from ddl.data.sources.records.example import Feature, parse_example
from ddl.data.sources.records.record_file import first_record, read_records
from ddl.data.sources.records.record_index import RecordIndex, open_index
from ddl.data.sources.records.shards import SUFFIXES, find_shards
from ddl.files.memory_file import memory_file
from ddl.ranges import check_choice

KNOWN_KEYS = (
    ("image/encoded", "image/class/label"),
    ("image/encoded", "image/label"),
    ("image/encoded", "label"),
    ("image", "label"),
    ("image_raw", "label"),
    ("image_raw",),
    ("image/encoded",),
    ("image",),
)
_SIDES = (("height", "image/height"), ("width", "image/width"))
_CHANNELS = ("depth", "channels", "image/channels")
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*")


def detect(path: Path) -> bool:
    """Return whether it is a TFRecord file, or a folder with shards of a split."""
    return path.suffix in SUFFIXES or (path.is_dir() and bool(find_shards(path)))


def splits(path: Path, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the splits that have shards; none of a single file."""
    del options
    return tuple(find_shards(path)) if path.is_dir() else ()


def open_source(
    path: Path,
    *,
    split: str = "train",
    keys: tuple[str, ...] | None = None,
    label_base: int = 0,
    raw_shape: tuple[int, ...] | None = None,
    channels_first: bool = False,
    image_size: tuple[int, int] | None = None,
    channels: str = "rgb",
    pixel_limit: int = PIXEL_LIMIT,
) -> Source:
    """Open the shards of a split.

    Args:
        path: a folder with shards, or a single file.
        split: "train", "validation" or "test": which shards of a folder.
        keys: names of the features with picture and label; by default the usual ones, such as "image/encoded".
        label_base: number of the first class in the records, often 1 in ImageNet's.
        raw_shape: height, width and channels of pictures that are stored as bare bytes.
        channels_first: whether bare bytes are stored as channels, height, width; `raw_shape` stays as above.
        image_size: height and width in pixels that pictures are resized to.
        channels: "grey", "rgb" or "rgba".
        pixel_limit: pictures with more pixels are refused before decoding.
    """
    form = Conversion(image_size, channels, pixel_limit=pixel_limit)
    if path.is_dir():
        found = find_shards(path)
        check_choice("split", split, found, str(path))
        shards, name = found[split], split
    else:
        check_choice("split", split, ("train",), f"the single file {path}")
        shards, name = [path], path.name
    features = _choose_features(shards[0], keys)
    raw = _Raw(raw_shape, channels_first)
    index = open_index(shards, name, features.label, features.read_label)
    return Records(index, features, form, raw, label_base)


@dataclasses.dataclass(frozen=True)
class _Features:
    """Names of the features of a record; `label` is "" without labels."""

    image: str
    label: str

    def read_label(self, shard: Path, data: memoryview, start: int) -> int:
        """Return the label of a record, as stored."""
        values = _parse(shard, start, data, (self.label,)).get(self.label)
        if not values or len(values) != 1 or not isinstance(values[0], int):
            raise _bad(shard, start, f"has no integer {self.label!r}", "one label per record")
        return values[0]


@dataclasses.dataclass(frozen=True)
class _Raw:
    """How pictures lie in bare bytes: their shape, or None to take it from each record."""

    shape: tuple[int, ...] | None
    channels_first: bool

    def __post_init__(self) -> None:
        if self.shape is not None and (len(self.shape) != 3 or min(self.shape) < 1):
            raise ValueError(
                f"Received: raw_shape={self.shape}. Expected: height, width and channels, such as 32,32,3."
            )

    def picture(self, data: memoryview, stored: tuple[int, ...]) -> np.ndarray | None:
        """Return bare bytes as a picture, or None if they have another length."""
        height, width, channels = self.shape or stored
        values = np.frombuffer(data, np.uint8)
        if len(values) != height * width * channels or channels not in (1, 3, 4):
            return None
        if self.channels_first:
            planes = values.reshape(channels, height, width)
            return np.ascontiguousarray(np.moveaxis(planes, 0, -1))
        return values.reshape(height, width, channels)


class Records(Source):
    """Reads records on demand, and keeps none: only where they begin, and their labels. Opens a shard for each read."""

    def __init__(
        self, index: RecordIndex, features: _Features, form: Conversion, raw: _Raw, base: int
    ) -> None:
        self._index, self._features, self._raw = index, features, raw
        if form.image_size is None:
            (shard, start, data), *_ = self._data(np.zeros(1, np.int64))
            picture = self._decode(shard, start, data, form.pixel_limit)
            form = dataclasses.replace(form, image_size=(picture.shape[0], picture.shape[1]))
            self._is_resized = False
        else:
            self._is_resized = True
        self._form = form
        size = form.image_size or (0, 0)
        self.fields = {"image": Field((*size, CHANNELS[form.channels]), DEPTHS[form.bits])}
        self._labels = index.labels - base
        if features.label:
            self.fields["label"] = Field((), np.dtype(np.int64))

    def __len__(self) -> int:
        return len(self._index)

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        wanted = checked_indices(indices, len(self))
        batch = empty_batch(self.fields, len(wanted))
        order = np.argsort(wanted, kind="stable")
        for row, (shard, start, data) in zip(order, self._data(wanted[order]), strict=True):
            batch["image"][row] = self._picture(shard, start, data)
        if "label" in batch:
            batch["label"][:] = self._labels[wanted]
        return batch

    def read_column(self, name: str) -> np.ndarray | None:
        return self._labels if name == "label" and "label" in self.fields else None

    def name_of(self, index: int) -> str:
        wanted = np.array([index])
        shard = self._index.shards[int(self._index.shard_of(wanted)[0])]
        return f"{shard.name} at byte {self._index.places(wanted)[0, 0]}"

    def _data(self, sorted_indices: np.ndarray) -> list[tuple[Path, int, memoryview]]:
        """Return shard, place and data of each of these records."""
        found: list[tuple[Path, int, memoryview]] = []
        shards, places = self._index.shard_of(sorted_indices), self._index.places(sorted_indices)
        for number in np.unique(shards):
            own, shard = places[shards == number], self._index.shards[number]
            texts = read_records(shard, own)
            found += zip([shard] * len(own), own[:, 0].tolist(), texts, strict=True)
        return found

    def _picture(self, shard: Path, start: int, data: memoryview) -> np.ndarray:
        """Return the picture of a record in the form of the source."""
        picture = self._decode(shard, start, data, self._form.pixel_limit)
        if not self._is_resized and picture.shape[:2] != self._form.image_size:
            height, width = self._form.image_size or (0, 0)
            raise _bad(
                shard,
                start,
                f"has {picture.shape[1]} x {picture.shape[0]} pixels, the first one {width} x {height}",
                "one size; or give image_size to resize them",
            )
        return self._form.convert(picture)

    def _decode(self, shard: Path, start: int, data: memoryview, limit: int) -> np.ndarray:
        """Return the picture of a record as stored."""
        key = self._features.image
        sides = [*(name for pair in _SIDES for name in pair), *_CHANNELS]
        found = _parse(shard, start, data, (key, *sides))
        values = found.get(key)
        if not values or len(values) != 1 or isinstance(values[0], int):
            raise _bad(shard, start, f"has no bytes {key!r}", "one picture per record")
        encoded = values[0]
        if bytes(encoded[:4]).startswith(_MAGIC) and self._raw.shape is None:
            return _read_encoded(shard, start, encoded, limit)
        stored = (*(_integer(found, names, 0) for names in _SIDES), _integer(found, _CHANNELS, 1))
        picture = self._raw.picture(encoded, stored)
        if picture is None:
            shape = "x".join(map(str, self._raw.shape or stored))
            raise _bad(
                shard,
                start,
                f"has {len(encoded)} bytes of picture, which are no JPEG, PNG, GIF or TIFF, and not those of {shape}",
                "a picture; or give raw_shape=HEIGHT,WIDTH,CHANNELS of bare bytes",
            )
        return picture


def _choose_features(shard: Path, keys: tuple[str, ...] | None) -> _Features:
    """Return the features to read: `keys` if given, else the first usual names that the first record has."""
    found = _parse(shard, 0, first_record(shard), None)
    for candidate in KNOWN_KEYS if keys is None else (keys,):
        if 1 <= len(candidate) <= 2 and all(key in found for key in candidate):
            return _Features(candidate[0], candidate[1] if len(candidate) > 1 else "")
    listed = ", ".join([*found][:20]) or "nothing"
    expected = ", ".join(keys) if keys else ", or ".join(" and ".join(k) for k in KNOWN_KEYS[:4])
    raise ValueError(
        f"Received: {shard}, whose records have {listed}. Expected: {expected}; or name picture and label, as in "
        "keys=image/encoded,image/class/label."
    )


def _parse(
    shard: Path, start: int, data: memoryview, wanted: tuple[str, ...] | None
) -> dict[str, Feature]:
    try:
        return parse_example(data, wanted)
    except ValueError as error:
        raise _bad(shard, start, f"is no tf.train.Example ({error})", "Examples") from error


def _integer(found: Mapping[str, Feature], names: Sequence[str], default: int) -> int:
    """Return the first of these features that is an integer."""
    for name in names:
        values = found.get(name)
        if values and isinstance(values[0], int):
            return values[0]
    return default


def _read_encoded(shard: Path, start: int, data: memoryview, limit: int) -> np.ndarray:
    with memory_file(data) as path:
        try:
            picture = read_picture(path, limit)
        except ValueError as error:
            name = f"{shard}, the picture of the record at byte {start}"
            raise ValueError(str(error).replace(str(path), name)) from error
    if picture.dtype != np.uint8:
        raise _bad(shard, start, "has a picture of 16 bits", "8 bits per channel")
    return picture


def _bad(shard: Path, start: int, what: str, expected: str) -> ValueError:
    return ValueError(
        f"Received: {shard}, where the record at byte {start} {what}. Expected: {expected}."
    )
