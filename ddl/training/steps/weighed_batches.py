"""What a dataset of batches gets before the model sees it: class weights, and a target for every output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def for_outputs(
    model: keras.Model,
    batches: tf.data.Dataset,
    weights: np.ndarray | None = None,
    *,
    needs_input: bool = False,
) -> tf.data.Dataset:
    """Give every output of a deeply supervised model the same target, and every sample the weight of its class.

    Args:
        model: a compiled model.
        batches: a dataset of (inputs, target), or of (inputs,) with `needs_input`.
        weights: weight of each class, (classes,); None for none.
        needs_input: whether the loss is one of input and output: the inputs take the place of targets.
    """
    changed = outputs_change(model, weights, needs_input=needs_input)
    return batches if changed is None else batches.map(changed)


def outputs_change(
    model: keras.Model, weights: np.ndarray | None = None, *, needs_input: bool = False
) -> Callable[..., Any] | None:
    """Return what `for_outputs` does to the parts of a batch; None for nothing."""
    names = model.output_names if len(model.outputs) > 1 else []

    def changed(inputs: Any, target: Any = None, *_: Any) -> Any:
        if needs_input:
            target = inputs
        parts = [target] if weights is None else [target, sample_weights(target, weights)]
        return inputs, *(dict.fromkeys(names, part) if names else part for part in parts)

    return changed if names or weights is not None or needs_input else None


def sample_weights(target: tf.Tensor, weights: np.ndarray) -> tf.Tensor:
    """Return each sample's weight, (N,) in Keras's float type.

    Args:
        target: class numbers (N,), where others than the classes weigh 1: the loss leaves them out. Or a share of each
            class, (N, classes), of which the weight is the mean.
        weights: weight of each class, (classes,).
    """
    by_class = tf.constant(weights, keras.config.floatx())
    if len(target.shape) > 1:
        return tf.linalg.matvec(tf.cast(target, by_class.dtype), by_class)
    known = (target >= 0) & (target < len(weights))
    return tf.where(known, tf.gather(by_class, tf.where(known, target, 0)), 1.0)
