"""Writes TFRecord shards by the format's description, with a checksum of its own: nothing of `ddl` is used."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.data import make

_TABLE = []
for _value in range(256):
    for _ in range(8):
        _value = (_value >> 1) ^ (0x82F63B78 if _value & 1 else 0)
    _TABLE.append(_value)


def crc32c(text: bytes) -> int:
    register = 0xFFFFFFFF
    for byte in text:
        register = (register >> 8) ^ _TABLE[(register ^ byte) & 255]
    return register ^ 0xFFFFFFFF


def masked(text: bytes) -> bytes:
    value = crc32c(text)
    return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def record(data: bytes, length: int | None = None) -> bytes:
    """Return a record; `length` lies about its length."""
    header = struct.pack("<Q", len(data) if length is None else length)
    return header + masked(header) + data + masked(data)


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def field(number: int, value: bytes | int) -> bytes:
    """Return a field of a protocol buffer: text or integer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def feature(value: Any, packed: bool = True) -> bytes:
    if isinstance(value, bytes):
        return field(1, field(1, value))
    if isinstance(value, float):
        return field(2, field(1, struct.pack("<f", value)))
    values = value if isinstance(value, list) else [value]
    if packed:
        return field(3, field(1, b"".join(map(varint, values))))
    return field(3, b"".join(field(1, number) for number in values))


def example(packed: bool = True, **features: Any) -> bytes:
    """Return a tf.train.Example; two underscores in a name stand for a slash."""
    entries = (
        field(1, field(1, name.replace("__", "/").encode()) + field(2, feature(value, packed)))
        for name, value in features.items()
    )
    return field(1, b"".join(entries))


def encoded(index: int, kind: str = "PNG", **shape: int) -> bytes:
    """Return the bytes of a picture file."""
    with io.BytesIO() as file:
        Image.fromarray(make.picture(index, **shape)).save(file, kind)
        return file.getvalue()


def picture_example(index: int, kind: str = "PNG", base: int = 0) -> bytes:
    """Return an Example as ImageNet's are."""
    return example(
        image__height=12,
        image__class__text=b"a class",
        image__object__bbox__xmin=0.5,
        image__class__label=index % 3 + base,
        image__encoded=encoded(index, kind),
        image__filename=f"{index}.JPEG".encode(),
    )


def raw_example(index: int, **more: Any) -> bytes:
    picture = make.picture(index)
    return example(image_raw=picture.tobytes(), label=index % 3, **more)


def shard(path: Path, examples: Iterable[bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(map(record, examples)))
    return path


def shards(folder: Path, base: int = 0) -> Path:
    """Write two training shards of 4 and 3 records, and one of 2 for validation."""
    for name, indices in (
        ("train-00000-of-00002", range(4)),
        ("train-00001-of-00002", range(4, 7)),
        ("validation-00000-of-00001", range(7, 9)),
    ):
        shard(folder / name, (picture_example(index, base=base) for index in indices))
    return folder


def flipped(path: Path, place: int) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))


def pictures(indices: Iterable[int]) -> np.ndarray:
    return np.stack([make.picture(index) for index in indices])
