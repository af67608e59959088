"""Keras's train step with forward and backward pass compiled by XLA, and the reduction outside XLA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from ddl.distributed.timing.reduction_timer import paused


def reason_against(model: keras.Model, step: Callable[[Any], Any]) -> str | None:
    """Return why XLA cannot compile part of this model's step, or None if it can."""
    if getattr(step, "__func__", None) is not keras.Model.train_step:
        return "its custom train_step reduces gradients (compile parts of it with tf.function)"
    layers = model._flatten_layers(include_self=False, recursive=True)
    if any(getattr(layer, "synchronized", False) for layer in layers):
        return "synchronized batch normalization reduces in the middle of the forward pass"
    return None


def train_step(model: keras.Model) -> Callable[[Any], Any]:
    """Return a train step that computes what Keras's does, with the gradients computed by XLA."""

    @tf.function(jit_compile=True, reduce_retracing=True)  # type: ignore[untyped-decorator]
    def gradients(x: Any, y: Any, sample_weight: Any) -> Any:
        with paused(), tf.GradientTape() as tape:
            y_pred = model(x, training=True) if model._call_has_training_arg else model(x)
            loss = model._compute_loss(
                x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True
            )
            scaled = model.optimizer.scale_loss(loss)
        weights = model.trainable_weights
        each = [g if g is None else tf.convert_to_tensor(g) for g in tape.gradient(scaled, weights)]
        return loss, y_pred, each

    def step(data: Any) -> Any:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        loss, y_pred, each = gradients(x, y, sample_weight)
        first = next(leaf for leaf in keras.tree.flatten(x) if leaf is not None)
        model._loss_tracker.update_state(loss, sample_weight=tf.shape(first)[0])
        model.optimizer.apply_gradients(zip(each, model.trainable_weights, strict=True))
        return model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    return step
