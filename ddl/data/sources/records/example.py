"""Reads tf.train.Example messages, without TensorFlow and without reading what is not asked for.

An Example is a protocol buffer: a map from names to lists of bytes, floats or integers. Only these messages are known:

    Example {Features features = 1}        Features {map<string, Feature> feature = 1}
    Feature {BytesList = 1 | FloatList = 2 | Int64List = 3}, each with repeated values = 1
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

Feature = list[memoryview] | list[int] | None
"""Values of a feature: texts or integers; None for floats."""
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_BYTES_LIST, _INT64_LIST = 1, 3
_MOST_FEATURES = 10_000


def parse_example(data: memoryview, wanted: Collection[str] | None = None) -> dict[str, Feature]:
    """Return the features of a message by name: those wanted, or all of them.

    Raises:
        ValueError: it is not an Example; the message says why, for the caller's own.
    """
    found: dict[str, Feature] = {}
    entries = (
        entry
        for number, features in _fields(data)
        if number == 1
        for inner, entry in _fields(_message(features))
        if inner == 1
    )
    for count, entry in enumerate(entries):
        if count >= _MOST_FEATURES:
            raise ValueError(f"more than {_MOST_FEATURES} features")
        name, value = b"", memoryview(b"")
        for number, part in _fields(_message(entry)):
            if number == 1:
                name = bytes(_message(part)[:200])
            elif number == 2:
                value = _message(part)
        text = name.decode("utf-8", "replace")
        if wanted is None or text in wanted:
            found[text] = _feature(value)
    return found


def _feature(data: memoryview) -> Feature:
    values: Feature = None
    for number, part in _fields(data):
        if number == _BYTES_LIST:
            values = [_message(text) for inner, text in _fields(_message(part)) if inner == 1]
        elif number == _INT64_LIST:
            values = _integers(_message(part))
    return values


def _integers(data: memoryview) -> list[int]:
    """Return the integers of a list, packed in one text or not."""
    values: list[int] = []
    for number, part in _fields(data):
        if number != 1:
            continue
        if isinstance(part, int):
            values.append(part)
            continue
        place = 0
        while place < len(part):
            value, place = _varint(part, place)
            values.append(value)
    return [value - (1 << 64) if value >> 63 else value for value in values]


def _message(value: memoryview | int) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number in the place of a message")
    return value


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield the fields of a message: its number, and its bytes or its integer."""
    place, end = 0, len(data)
    while place < end:
        key, place = _varint(data, place)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, place = _varint(data, place)
            yield number, value
            continue
        if kind == _BYTES:
            length, place = _varint(data, place)
        elif kind in (_FIXED_32, _FIXED_64):
            length = 4 if kind == _FIXED_32 else 8
        else:
            raise ValueError(f"a field of the unknown kind {kind}")
        if length > end - place:
            raise ValueError(f"a field of {length} bytes where {end - place} are left")
        yield number, data[place : place + length]
        place += length


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """Return the integer of 7 bits a byte that begins at a place, and the place behind it."""
    value = shift = 0
    while place < len(data):
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, place
        shift += 7
        if shift > 63:
            raise ValueError("an integer of more than 64 bits")
    raise ValueError("an integer that is cut short")
