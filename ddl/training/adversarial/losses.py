"""Losses of a GAN, each a value per sample. TensorFlow tensors in and out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def of_discriminator(kind: str, real: Any, made: Any) -> Any:
    """Return the discriminator's loss (n,), from its scores (n, 1) of real and of made pictures."""
    if kind == "dcgan":
        return _entropy(real, 1.0) + _entropy(made, 0.0)
    return made[:, 0] - real[:, 0]


def of_generator(kind: str, made: Any) -> Any:
    """Return the generator's loss (n,), from the discriminator's scores (n, 1) of its pictures."""
    return _entropy(made, 1.0) if kind == "dcgan" else -made[:, 0]


def gradient_penalty(score: Callable[[Any], Any], real: Any, made: Any, parts: Any) -> Any:
    """Return (|gradient| - 1)^2 (n,) of the score between real and made pictures.

    Args:
        score: pictures -> scores (n, 1).
        real: real pictures (n, height, width, channels).
        made: made ones.
        parts: where between them, 0 to 1, (n,).
    """
    parts = tf.cast(tf.reshape(parts, (-1, 1, 1, 1)), real.dtype)
    between = parts * real + (1 - parts) * made
    with tf.GradientTape() as tape:
        tape.watch(between)
        total = tf.reduce_sum(score(between))
    slope = tape.gradient(total, between)
    squares = tf.reduce_sum(slope * slope, axis=(1, 2, 3))
    return (tf.sqrt(squares + 1e-12) - 1) ** 2


def _entropy(scores: Any, target: float) -> Any:
    targets = tf.fill(tf.shape(scores), tf.cast(target, scores.dtype))
    return tf.nn.sigmoid_cross_entropy_with_logits(targets, scores)[:, 0]
