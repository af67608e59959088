"""Keras's train step with forward and backward pass compiled by XLA, and the reduction outside XLA."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from ddl.distributed import runtime
from ddl.distributed.gradients.step_share import Block
from ddl.distributed.keras_patches.shifted_slices import install, shifted_slices
from ddl.distributed.keras_patches.xla_draws import drawn_as_without_xla
from ddl.distributed.timing.reduction_timer import paused

compiling = Block()
"""True while a function for XLA is traced."""


def reason_against(model: keras.Model, step: Callable[[Any], Any]) -> str | None:
    """Return why XLA cannot compile part of this model's step, or None if it can."""
    if getattr(step, "__func__", None) is not keras.Model.train_step:
        return "its custom train_step reduces gradients (compile parts of it with tf.function)"
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if getattr(layer, "synchronized", False) and runtime.size() > 1:
            return (
                "synchronized batch normalization reduces in the middle of the forward pass (layer "
                f"{layer.name})"
            )
        if not layer.supports_jit:
            return f"Keras's {type(layer).__name__} does not support it (layer {layer.name})"
    return None


def gradient_function(
    model: keras.Model, spec: Any = None, *, compiled: bool = True, fast_forms: bool = False
) -> Any:
    """Return a tf.function of a batch that returns the loss, the predictions and the gradients before the reduction.

    Args:
        model: a compiled Keras model.
        spec: the batch's `element_spec`; None traces the function for the batches that it gets.
        compiled: whether XLA compiles it.
        fast_forms: whether convolutions of few channels become products over shifted slices, and random numbers are
            those that TensorFlow draws without XLA.
    """
    if fast_forms:
        install()
    signature = None if spec is None else [spec]

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=signature, jit_compile=compiled, reduce_retracing=spec is None
    )
    def gradients(data: Any) -> Any:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        with contextlib.ExitStack() as forms:
            forms.enter_context(paused())
            if compiled:
                forms.enter_context(compiling)
            if fast_forms:
                forms.enter_context(shifted_slices)
                forms.enter_context(drawn_as_without_xla())
            with tf.GradientTape() as tape:
                y_pred = model(x, training=True) if model._call_has_training_arg else model(x)
                loss = model._compute_loss(
                    x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True
                )
                scaled = model.optimizer.scale_loss(loss)
            found = tape.gradient(scaled, model.trainable_weights)
        return loss, y_pred, [g if g is None else tf.convert_to_tensor(g) for g in found]

    return gradients


def for_full_batches(
    fast: Callable[[Any], Any], plain: Callable[[Any], Any], samples: int
) -> Callable[[Any], Any]:
    """Return a function that calls `fast` for batches of this many samples, and `plain` for all others.

    XLA compiles a function for each number of samples. A short last step of an epoch is not worth that.
    """

    def compute(data: Any) -> Any:
        return tf.cond(
            tf.equal(tf.shape(tf.nest.flatten(data)[0])[0], samples),
            lambda: fast(data),
            lambda: plain(data),
        )

    return compute


def train_step(
    model: keras.Model, gradients: Callable[[Any], Any] | None = None
) -> Callable[[Any], Any]:
    """Return a train step that computes what Keras's does, with the result of `gradient_function`."""
    compute = gradients or gradient_function(model)

    def step(data: Any) -> Any:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        loss, y_pred, each = compute(data)
        first = next(leaf for leaf in keras.tree.flatten(x) if leaf is not None)
        model._loss_tracker.update_state(loss, sample_weight=tf.shape(first)[0])
        model.optimizer.apply_gradients(zip(each, model.trainable_weights, strict=True))
        return model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    return step
