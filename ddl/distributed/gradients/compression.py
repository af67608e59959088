"""Gradient dtype on the wire: unchanged, or 16 bits per number."""

from __future__ import annotations

import tensorflow as tf

from ddl.distributed import runtime
from ddl.distributed.gradients import traffic

NAMES = ("none", "fp16", "bf16")


def average(tensors: list[tf.Tensor], compression: str) -> list[tf.Tensor]:
    """Return the mean over ranks of dense tensors, reduced as one group once all of them are computed.

    "fp16" halves the traffic, sums in float16 and overflows above 65504. "bf16" also halves it, keeps float32's
    range and sums in float32; it only rounds the values that are sent.
    """
    hvd = runtime.horovod()
    # Horovod has no bfloat16.
    plain = [tf.cast(t, tf.float32) if t.dtype == tf.bfloat16 else t for t in tensors]
    if compression == "bf16":
        means = _average_in_bfloat16(plain)
    else:
        wire = hvd.Compression.fp16 if compression == "fp16" else hvd.Compression.none
        traffic.count(plain, 2 if compression == "fp16" else None)
        means = hvd.grouped_allreduce(plain, op=hvd.Average, compression=wire)
    return [tf.cast(mean, t.dtype) for mean, t in zip(means, tensors, strict=True)]


def _average_in_bfloat16(tensors: list[tf.Tensor]) -> list[tf.Tensor]:
    """Scatter and gather bfloat16 bits as integers; every rank sums one part of the numbers in float32."""
    hvd, size = runtime.horovod(), runtime.size()
    flat = tf.concat([tf.cast(tf.reshape(t, [-1]), tf.float32) for t in tensors], axis=0)
    length = tf.shape(flat)[0]
    flat = tf.pad(flat, [[0, -length % size]])
    bits = _to_bits(flat)
    parts = hvd.alltoall(bits)
    mine = tf.reduce_sum(tf.reshape(_from_bits(parts), [size, -1]), axis=0) / size
    rounded = _to_bits(mine)
    traffic.count([bits, rounded])
    mean = _from_bits(hvd.allgather(rounded))[:length]
    parts = tf.split(mean, [tf.size(t) for t in tensors])
    return [tf.reshape(part, tf.shape(t)) for part, t in zip(parts, tensors, strict=True)]


def _to_bits(values: tf.Tensor) -> tf.Tensor:
    return tf.bitcast(tf.cast(values, tf.bfloat16), tf.uint16)


def _from_bits(bits: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.bitcast(bits, tf.bfloat16), tf.float32)
