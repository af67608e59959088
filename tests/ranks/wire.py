"""What a test and its ranks send each other: JSON, with arrays as raw bytes behind it. Nothing in it can run code."""

from __future__ import annotations

import json
import socket
import struct
from pathlib import Path
from typing import Any

import numpy as np

_LENGTHS = struct.Struct("<QQ")  # of the JSON text, and of all that follows it
SENDABLE = "None, bool, int, float, str, Path, arrays, and lists, tuples and dicts of these"


def encode(value: Any) -> bytes:
    """Return a message. Tuples arrive as lists.

    Raises:
        TypeError: naming the part of the value that cannot be sent.
    """
    arrays: list[np.ndarray] = []
    text = json.dumps(_to_json(value, "value", arrays)).encode()
    body = b"".join(array.tobytes() for array in arrays)
    return _LENGTHS.pack(len(text), len(body)) + text + body


def receive(connection: socket.socket) -> Any:
    """Return the next message.

    Raises:
        EOFError: when the other side has closed.
    """
    text_bytes, body_bytes = _LENGTHS.unpack(_read(connection, _LENGTHS.size))
    text, body = _read(connection, text_bytes), _read(connection, body_bytes)
    return _from_json(json.loads(text), memoryview(body))


def _to_json(value: Any, where: str, arrays: list[np.ndarray]) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, list | tuple):
        return [_to_json(item, f"{where}[{n}]", arrays) for n, item in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        items = {key: _to_json(item, f"{where}[{key!r}]", arrays) for key, item in value.items()}
        return {"dict": items}
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
        start = sum(array.nbytes for array in arrays)
        arrays.append(np.ascontiguousarray(value))
        scalar = isinstance(value, np.generic)
        return {
            "array": [value.dtype.name, value.shape, start, value.nbytes],
            "scalar": scalar,
        }
    raise TypeError(
        f"Cannot send {where} between a test and its ranks. Received: {_described(value)}. Expected: {SENDABLE}."
    )


def _described(value: Any) -> str:
    if isinstance(value, dict):
        return f"a dict with the keys {list(value)[:5]}, not all of them str"
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _from_json(value: Any, body: memoryview) -> Any:
    if isinstance(value, list):
        return [_from_json(item, body) for item in value]
    if not isinstance(value, dict):
        return value
    if "dict" in value:
        return {key: _from_json(item, body) for key, item in value["dict"].items()}
    if "path" in value:
        return Path(value["path"])
    name, shape, start, size = value["array"]
    array = np.frombuffer(body[start : start + size], _dtype(name)).reshape(shape).copy()
    return array[()] if value["scalar"] else array


def _dtype(name: str) -> np.dtype:
    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, name))


def _read(connection: socket.socket, size: int) -> bytes:
    parts, missing = [], size
    while missing:
        part = connection.recv(min(missing, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
