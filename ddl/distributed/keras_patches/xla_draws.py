"""Random numbers in a step that XLA compiles: those that TensorFlow draws without XLA, for uniform ones and dropout.

XLA makes the same random bits as TensorFlow, but takes other ones of them for a float. A dropout layer would drop other
units in a compiled step. Here the float is made from the bits as TensorFlow makes it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

_PHILOX = 1
_MANTISSA, _ONE = 0x7FFFFF, 0x3F800000  # of a float32
_SAME_BITS = (
    "StatelessRandomGetAlg",
    "StatelessRandomGetKeyCounter",
    "StatelessRandomUniformFullIntV2",
)
_DRAWS = ("Random", "Normal", "Multinomial")

_uniform, _dropout = tf.random.stateless_uniform, tf.nn.experimental.stateless_dropout


@contextlib.contextmanager
def drawn_as_without_xla() -> Iterator[None]:
    """Trace uniform float32 numbers and dropout from TensorFlow's bits inside the `with` block."""
    tf.random.stateless_uniform = stateless_uniform
    tf.nn.experimental.stateless_dropout = _stateless_dropout
    try:
        yield
    finally:
        tf.random.stateless_uniform = _uniform
        tf.nn.experimental.stateless_dropout = _dropout


def other_draw(graph: Any) -> str | None:
    """Return an operation of a traced function that draws other numbers in XLA than without; None if there is none."""
    for operation in graph.get_operations():
        kind: str = operation.type
        if any(word in kind for word in _DRAWS) and kind not in _SAME_BITS:
            return kind
    return None


def stateless_uniform(
    shape: Any, seed: Any, minval: Any = 0, maxval: Any = None, dtype: Any = tf.float32, **how: Any
) -> tf.Tensor:
    """Return what `tf.random.stateless_uniform` returns without XLA."""
    if tf.as_dtype(dtype) != tf.float32:
        return _uniform(shape, seed, minval, maxval, dtype, **how)
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    bits = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=shape, key=key, counter=counter, alg=_PHILOX, dtype=tf.uint32
    )
    # TensorFlow takes the low 23 bits as the mantissa of a number from 1 to 2; XLA takes the high ones.
    mantissa = tf.bitwise.bitwise_and(bits, tf.constant(_MANTISSA, tf.uint32))
    number = tf.bitcast(tf.bitwise.bitwise_or(mantissa, tf.constant(_ONE, tf.uint32)), tf.float32)
    most = tf.cast(1 if maxval is None else maxval, tf.float32)
    least = tf.cast(minval, tf.float32)
    return (number - 1.0) * (most - least) + least


def _stateless_dropout(
    inputs: Any, rate: Any, seed: Any, *, noise_shape: Any = None, **how: Any
) -> tf.Tensor:
    values = tf.convert_to_tensor(inputs)
    if values.dtype != tf.float32 or not isinstance(rate, int | float):
        return _dropout(inputs, rate=rate, seed=seed, noise_shape=noise_shape, **how)
    shape = tf.shape(values) if noise_shape is None else noise_shape
    is_kept = stateless_uniform(shape, seed) >= rate
    return tf.where(is_kept, values * (1 / (1 - rate)), tf.zeros_like(values))
