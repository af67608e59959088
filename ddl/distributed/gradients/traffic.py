"""Counts the bytes that this rank hands to Horovod in training steps: gradients, changes of weights, statistics.

The count stands in the graph beside each reduction, so it is what was sent and no estimate. It is the payload: what a
transport adds, and how often a ring passes a byte on, is not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

_sent: Any = None  # int64 scalar, made at the first reduction


def count(tensors: Sequence[tf.Tensor], item_bytes: int | None = None) -> None:
    """Count tensors that are handed to Horovod here; in a graph each time that it runs.

    Args:
        tensors: what is sent.
        item_bytes: bytes of a number on the wire; by default those of its dtype.
    """
    total, known = tf.constant(0, tf.int64), 0
    for tensor in tensors:
        numbers, each = tensor.shape.num_elements(), item_bytes or tensor.dtype.size
        if numbers is None:
            total += tf.size(tensor, tf.int64) * each
        else:
            known += numbers * each
    _counter().assign_add(total + known)


def sent_bytes() -> int:
    """Return the bytes since the last `reset`."""
    return 0 if _sent is None else int(_sent.numpy())


def reset() -> None:
    """Start again at 0, before a run's first step."""
    if _sent is not None:
        _sent.assign(0)


def _counter() -> Any:
    global _sent
    if _sent is None:
        with tf.init_scope(), tf.device("CPU:0"):
            _sent = tf.Variable(0, dtype=tf.int64, trainable=False)
    return _sent
