"""Many variables in one message: sent from one rank to the others, or averaged."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from ddl.distributed import runtime

_CHUNK_BYTES = 1 << 28  # MPI counts bytes in an int


def broadcast_variables(variables: Sequence[keras.Variable], root: int = 0) -> None:
    """Set the variables to rank `root`'s values, bit for bit. All ranks must call it."""
    if runtime.size() == 1 or not variables:
        return
    import tensorflow as tf

    arrays = [np.asarray(variable.numpy(), order="C") for variable in variables]
    bits = [array.reshape(-1).view(np.uint8) for array in arrays]
    payload = np.concatenate(bits)
    hvd = runtime.horovod()
    chunks = [payload[i : i + _CHUNK_BYTES] for i in range(0, payload.size, _CHUNK_BYTES)]
    received = [
        hvd.broadcast(tf.constant(chunk), root, name="ddl.broadcast_variables").numpy()
        for chunk in chunks
    ]
    parts = split_like(np.concatenate(received), bits)
    for variable, array, values in zip(variables, arrays, parts, strict=True):
        variable.assign(values.view(array.dtype).reshape(array.shape))


def average_variables(variables: Sequence[keras.Variable]) -> None:
    """Set the variables to their means over ranks, taken in float64. All ranks must call it."""
    if runtime.size() == 1 or not variables:
        return
    arrays = [np.asarray(variable.numpy(), dtype=np.float64) for variable in variables]
    mean = runtime.allreduce(flat(arrays), op="mean")
    for variable, values in zip(variables, split_like(mean, arrays), strict=True):
        variable.assign(values)


def flat(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Return all numbers of the arrays, one array after the other."""
    return np.concatenate([array.ravel() for array in arrays])


def split_like(numbers: np.ndarray, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return what `flat` made one of as arrays of those shapes again."""
    parts = np.split(numbers, np.cumsum([array.size for array in arrays])[:-1])
    return [part.reshape(array.shape) for part, array in zip(parts, arrays, strict=True)]
