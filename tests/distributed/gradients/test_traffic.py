"""Bytes handed to Horovod are counted each time that a graph runs, also of tensors whose size is not known before."""

from __future__ import annotations

import tensorflow as tf

from ddl.distributed.gradients import traffic


def test_bytes_of_known_and_unknown_shapes_are_counted_at_each_run() -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32)])
    def send(values: tf.Tensor) -> tf.Tensor:
        traffic.count([values, tf.zeros(5, tf.int64)])
        traffic.count([tf.zeros(7)], item_bytes=2)
        return values

    traffic.reset()
    for rows in (2, 4):
        send(tf.zeros((rows, 3)))
    assert traffic.sent_bytes() == (2 + 4) * 3 * 4 + 2 * (5 * 8 + 7 * 2)
    traffic.reset()
    assert traffic.sent_bytes() == 0


def test_more_bytes_than_32_bits_hold_are_counted() -> None:
    traffic.reset()
    traffic.count([tf.zeros(1)], item_bytes=2**32)
    assert traffic.sent_bytes() == 2**32
    traffic.reset()
