"""Broadcast, gather or average many variables in one message."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence

import keras
import numpy as np

from ddl.distributed import runtime

_CHUNK_BYTES = 1 << 28  # MPI's byte counts are 32-bit integers


def broadcast_variables(variables: Sequence[keras.Variable], root: int = 0) -> None:
    """Set the variables to rank `root`'s values, bit for bit. All ranks must call it.

    dist.broadcast_variables(optimizer.variables)
    """
    if runtime.size() > 1 and variables:
        assign(variables, broadcast_arrays([variable.numpy() for variable in variables], root))


def broadcast_arrays(arrays: Sequence[np.ndarray], root: int = 0) -> Sequence[np.ndarray]:
    """Return rank `root`'s arrays on every rank. All ranks must call it, with equal shapes and dtypes."""
    if runtime.size() == 1 or not arrays:
        return arrays
    import tensorflow as tf

    hvd, payload = runtime.horovod(), packed(arrays)
    chunks = [payload[i : i + _CHUNK_BYTES] for i in range(0, payload.size, _CHUNK_BYTES)]
    received = [
        hvd.broadcast(tf.constant(chunk), root, name="ddl.broadcast_variables").numpy()
        for chunk in chunks
    ]
    return unpacked(np.concatenate(received), arrays) if received else arrays


def assign(variables: Iterable[keras.Variable], values: Iterable[np.ndarray]) -> None:
    """Set each variable to its value."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


@contextlib.contextmanager
def restored(variables: Sequence[keras.Variable]) -> Iterator[None]:
    """Give the variables at the end of the `with` block the values that they have now."""
    values = [keras.ops.convert_to_numpy(variable) for variable in variables]
    try:
        yield
    finally:
        assign(variables, values)


def gather_bytes(payload: np.ndarray) -> np.ndarray:
    """Return the bytes of all ranks on rank 0, one row per rank, and no rows on other ranks.

    All ranks must call it, with equally many bytes. Horovod can only gather on all ranks, so data move in pieces that
    the other ranks drop at once. Beside rank 0's result, no rank needs more than 64 MiB or one MiB per rank.
    """
    if runtime.size() == 1:
        return payload[np.newaxis]
    import tensorflow as tf

    hvd, piece = runtime.horovod(), max(1 << 20, (64 << 20) // runtime.size())
    gathered = np.empty((runtime.size() if runtime.is_root() else 0, payload.size), np.uint8)
    for start in range(0, payload.size, piece):
        own = tf.constant(payload[np.newaxis, start : start + piece])
        rows = hvd.allgather(own, name="ddl.gather_bytes")
        if runtime.is_root():
            gathered[:, start : start + piece] = rows.numpy()
    return gathered


def packed(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Return the bytes of the arrays, one array after the other, of any dtypes."""
    bits = [np.asarray(array, order="C").reshape(-1).view(np.uint8) for array in arrays]
    return np.concatenate([np.empty(0, np.uint8), *bits])


def unpacked(payload: np.ndarray, like: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Split the bytes from `packed` into arrays with the shapes and dtypes of `like`."""
    parts = np.split(payload, np.cumsum([array.nbytes for array in like]))[: len(like)]
    return [
        part.view(array.dtype).reshape(array.shape) for part, array in zip(parts, like, strict=True)
    ]


def average_variables(variables: Sequence[keras.Variable]) -> None:
    """Set the variables to their means over ranks, computed in float64. All ranks must call it."""
    if runtime.size() == 1 or not variables:
        return
    arrays = [np.asarray(variable.numpy(), dtype=np.float64) for variable in variables]
    assign(variables, split_like(runtime.allreduce(flat(arrays), op="mean"), arrays))


def flat(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Return all numbers of the arrays, one array after the other."""
    return np.concatenate([array.ravel() for array in arrays])


def split_like(numbers: np.ndarray, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Split the numbers from `flat` into arrays with the shapes of `arrays`."""
    parts = np.split(numbers, np.cumsum([array.size for array in arrays])[:-1])
    return [part.reshape(array.shape) for part, array in zip(parts, arrays, strict=True)]
