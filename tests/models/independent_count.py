"""Multiply-adds as TensorFlow counts them: from the operations of the traced graph, not from layers."""

from __future__ import annotations

import keras
import tensorflow as tf
from tensorflow.python.framework import ops

PRODUCTS = (
    "Conv2D",
    "DepthwiseConv2dNative",
    "MatMul",
    "BatchMatMulV2",
    "Conv3D",
    "Conv2DBackpropInput",
)


def count_multiply_adds(model: keras.Model) -> int:
    """Return the multiply-adds of one sample, forward; TensorFlow counts each as two operations."""

    @tf.function(autograph=False)
    def forward(*inputs: tf.Tensor) -> None:
        model(inputs[0], training=False)

    graph = forward.get_concrete_function(tf.TensorSpec((1, *model.input_shape[1:]))).graph
    found = [
        ops.get_stats_for_node_def(graph, operation.node_def, "flops").value
        for operation in graph.get_operations()
        if operation.type in PRODUCTS
    ]
    return sum(count for count in found if count is not None) // 2
