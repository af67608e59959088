"""Reads a TFRecord file: finds where its records begin, and reads records with their checksums checked.

A record is the length of its data (8 bytes), the checksum of the length (4), the data, and their checksum (4).
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ddl.data.sources.records.crc32c import masked_crc32c, masked_crc32c_of_rows
from ddl.files import check_regular

RECORD_BYTES = 256 << 20
"""Most bytes of a record. A picture has far less."""
_HEADER = struct.Struct("<QI")
_FRAME = _HEADER.size + 4
_ZIPPED = (b"\x1f\x8b", b"\x78\x9c", b"\x78\x01", b"\x78\xda")  # gzip, and zlib's levels


def find_records(path: Path, visit: Callable[[memoryview, int], None] | None = None) -> np.ndarray:
    """Return where each record of a file begins, int64.

    Args:
        path: the file.
        visit: called with the data of each record and its place. Only what it looks at is read from disk.

    Raises:
        ValueError: the file is empty, compressed, cut short or damaged. Data that `visit` takes are not checked.
    """
    view = _map(path)
    starts = _starts(path, view)
    _check_headers(path, view, starts)
    if visit is not None:
        for start in starts.tolist():
            (length,) = struct.unpack_from("<Q", view, start)
            try:
                visit(view[start + _HEADER.size :][:length], start)
            except ValueError:
                read_records(path, np.array([[start, start + _FRAME + length]]))  # names damage
                raise
    return starts


def first_record(path: Path) -> memoryview:
    """Return the data of the first record of a file."""
    view = _map(path)
    if len(view) >= _FRAME:
        length, _ = _HEADER.unpack_from(view)
        if length <= min(RECORD_BYTES, len(view) - _FRAME):
            return read_records(path, np.array([[0, _FRAME + length]], np.int64))[0]
    find_records(path)  # says what is wrong
    raise _cut(path, 0, len(view))


def _map(path: Path) -> memoryview:
    """Return the content of a file. It is not closed by its users: an error that they raise may still refer to it."""
    check_regular(path)
    try:
        with path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                raise ValueError(
                    f"Received: {path}, which is empty. Expected: records; write or download the shard again."
                )
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise _unreadable(path, error) from error


def _starts(path: Path, view: memoryview) -> np.ndarray:
    starts, place, size = [], 0, len(view)
    while place < size:
        if size - place < _FRAME:
            raise _cut(path, place, size)
        (length,) = struct.unpack_from("<Q", view, place)
        if length > min(RECORD_BYTES, size - place - _FRAME):
            _refuse_long(path, view, place, length)
        starts.append(place)
        place += _FRAME + length
    return np.array(starts, np.int64)


def _refuse_long(path: Path, view: memoryview, place: int, length: int) -> None:
    """Say why a record is longer than the file: it is no TFRecord, its length is damaged, or the end is missing."""
    if bytes(view[:2]) in _ZIPPED and place == 0:
        raise ValueError(
            f"Received: {path}, which is compressed, so that its records cannot be read in any order. Expected: a "
            "TFRecord file without compression; decompress it, as with gunzip."
        )
    _check_headers(path, view, np.array([place], np.int64))
    if length > RECORD_BYTES:
        raise ValueError(
            f"Received: {path}, where the record at byte {place} has {length} bytes. Expected: at most {RECORD_BYTES}."
        )
    raise _cut(path, place, len(view))


def _check_headers(path: Path, view: memoryview, starts: np.ndarray) -> None:
    """Refuse the first length that does not match its checksum."""
    values = np.frombuffer(view, np.uint8)
    for part in np.array_split(starts, len(starts) // 65536 + 1):
        headers = values[part[:, None] + np.arange(_HEADER.size)]
        given = np.ascontiguousarray(headers[:, 8:]).view("<u4")[:, 0]
        for row in np.flatnonzero(masked_crc32c_of_rows(headers[:, :8]) != given)[:1]:
            place = int(part[row])
            raise ValueError(
                f"Received: {path}, where the length of the record at byte {place} does not match its checksum. "
                "Expected: an intact TFRecord file; write or download it again."
            )


def read_records(path: Path, places: np.ndarray) -> list[memoryview]:
    """Return the data of the records that begin and end at `places`, int64 of (records, 2).

    Raises:
        ValueError: a record is damaged; the message gives the file and the place.
    """
    check_regular(path)
    try:
        with path.open("rb", buffering=0) as file:
            frames = [_read(file.fileno(), int(stop - start), int(start)) for start, stop in places]
    except OSError as error:
        raise _unreadable(path, error) from error
    for frame, (start, stop) in zip(frames, places, strict=True):
        if len(frame) < stop - start:
            raise _cut(path, int(start), int(start) + len(frame))
    headers = np.frombuffer(b"".join(frame[: _HEADER.size] for frame in frames), np.uint8)
    headers = headers.reshape(len(frames), _HEADER.size)
    lengths = np.ascontiguousarray(headers[:, :8]).view("<u8")[:, 0]
    given = np.ascontiguousarray(headers[:, 8:]).view("<u4")[:, 0]
    is_wrong = masked_crc32c_of_rows(headers[:, :8]) != given
    is_wrong |= lengths != (places[:, 1] - places[:, 0] - _FRAME).astype(np.uint64)
    _refuse_first(path, places, is_wrong, "the length")
    texts = [memoryview(frame)[_HEADER.size : -4] for frame in frames]
    given = np.frombuffer(b"".join(frame[-4:] for frame in frames), "<u4")
    _refuse_first(path, places, masked_crc32c(texts) != given, "the content")
    return texts


def _refuse_first(path: Path, places: np.ndarray, is_wrong: np.ndarray, what: str) -> None:
    for row in np.flatnonzero(is_wrong)[:1]:
        raise ValueError(
            f"Received: {path}, where {what} of the record at byte {places[row, 0]} does not match its checksum. "
            "Expected: an intact TFRecord file; write or download it again."
        )


def _read(descriptor: int, count: int, start: int) -> bytes:
    """Return `count` bytes, or less at the end of the file; a system call may return fewer than it can."""
    parts: list[bytes] = []
    while count and (part := os.pread(descriptor, count, start)):
        parts.append(part)
        count, start = count - len(part), start + len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _cut(path: Path, place: int, size: int) -> ValueError:
    return ValueError(
        f"Received: {path}, which ends at byte {size}, within the record at byte {place}. Expected: a whole TFRecord "
        "file; write or download it again."
    )


def _unreadable(path: Path, error: OSError) -> ValueError:
    return ValueError(
        f"Received: {path}, which cannot be read ({error.strerror}). Expected: a readable file."
    )
