"""16-bit colour PNGs keep their values with every PNG filter; damaged files are refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.data.pictures.picture_file import read_picture, read_size

KINDS = {3: 2, 2: 4, 4: 6}  # channels -> colour type


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def paeth(a: int, b: int, c: int) -> int:
    """As the specification writes it."""
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    if pa <= pb and pa <= pc:
        return a
    return b if pb <= pc else c


# First row, first column, and steps of each pass of an interlaced PNG.
PASSES = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
PASSES += [(1, 0, 2, 1)]


def encode(values: np.ndarray, filters: list[int], *, interlaced: bool = False) -> bytes:
    """Return a PNG, byte by byte as the specification says, its rows filtered in turn by `filters`."""
    height, width, channels = values.shape
    parts = [values[y::down, x::right] for y, x, down, right in PASSES] if interlaced else [values]
    coded = b"".join(code(part, filters) for part in parts if part.size)
    header = struct.pack(">IIBBBBB", width, height, 16, KINDS[channels], 0, 0, interlaced)
    packed = zlib.compress(coded)
    half = len(packed) // 2
    body = chunk(b"IDAT", packed[:half]) + chunk(b"IDAT", packed[half:])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


def code(values: np.ndarray, filters: list[int]) -> bytes:
    """Return the filtered rows of a picture or of one pass."""
    height, _, channels = values.shape
    rows = values.astype(">u2").view(np.uint8).reshape(height, -1).astype(int).tolist()
    size = channels * 2
    coded = bytearray()
    for y, row in enumerate(rows):
        above = rows[y - 1] if y else [0] * len(row)
        kind = filters[y % len(filters)]
        coded.append(kind)
        for x, value in enumerate(row):
            a, c = (row[x - size], above[x - size]) if x >= size else (0, 0)
            b = above[x]
            guess = (0, a, b, (a + b) // 2, paeth(a, b, c))[kind]
            coded.append((value - guess) % 256)
    return bytes(coded)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from((2, 3, 4))),
    filters=st.lists(st.integers(0, 4), min_size=1, max_size=5),
    seed=st.integers(0, 99),
    smooth=st.booleans(),
    interlaced=st.booleans(),
)
def test_every_filter_is_undone(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int, int],
    filters: list[int],
    seed: int,
    smooth: bool,
    interlaced: bool,
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 65536, shape).astype(np.uint16)
    if smooth:
        values = values // 256
    path = tmp_path_factory.getbasetemp() / "deep.png"
    path.write_bytes(encode(values, filters, interlaced=interlaced))
    received = read_picture(path)
    assert received.dtype == np.uint16
    wanted = values[..., [0, 0, 0, 1]] if shape[2] == 2 else values
    assert np.array_equal(received, wanted)
    assert read_size(path) == shape[:2]


WHOLE = encode(np.arange(60, dtype=np.uint16).reshape(4, 5, 3) * 1000, [0, 1, 2, 3, 4])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (encode(np.zeros((2, 2, 3)), [0]).replace(b"\x10\2\0\0\0", b"\x10\2\0\0\1"), "damaged"),
        (WHOLE[:90], "damaged or not a picture"),
        (WHOLE.replace(b"IDAT", b"IDAX", 1), "damaged or not a picture"),
        (encode(np.zeros((2, 2, 3)), [0]).replace(b"\0\0\0\2\x10", b"\0\0\0\3\x10"), "damaged"),
    ],
    ids=["wrong interlacing", "cut short", "wrong checksum", "wrong width"],
)
def test_damage_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ValueError, match=r"^Received: .*Expected: ") as caught:
        read_picture(tmp_path / "a.png")
    assert message in str(caught.value)


def test_no_damage_escapes_as_another_error(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    rng = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(WHOLE[: rng.integers(26, len(WHOLE) + 1)])
        damaged[rng.integers(len(damaged))] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_picture(path, 100_000)
        except ValueError as error:
            assert str(error).startswith("Received: ")  # noqa: PT017
