"""What the rows of `cases` train: small models and their data, the same in every process.

No layer has a bias in front of a batch normalization: its gradient is zero but for rounding, which optimizers of
the Adam family blow up to full steps, in any framework and on any number of machines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tests.distributed.cases import Case

Normalize = Callable[..., Any]


def make_data(case: Case, samples: int, seed: int) -> tuple[Any, Any, Any]:
    """Return inputs, targets and sample weights (or None) of `samples` samples."""
    rng = np.random.default_rng(seed)
    floatx = keras.config.floatx()
    weights = rng.uniform(0.2, 2.0, samples).astype(floatx) if case.weighted else None
    if case.model == "embedding":
        x: Any = rng.integers(0, 12, (samples, 5)).astype("int32")
    elif case.model in ("convolution", "images"):
        x = rng.normal(0.3, 1.0, (samples, 6, 6, 2)).astype(floatx)
    else:
        x = rng.normal(0.3, 1.0, (samples, 6)).astype(floatx)
    y: Any = rng.normal(0.2, 1.0, (samples, 3)).astype(floatx)
    if case.model == "smooth":
        y += 2  # gradients of all samples point the same way: no sum cancels
    if case.model == "classifier":
        y = (y[:, :1] > 0).astype(floatx)
    if case.model == "two outputs":
        y = {"a": y, "b": y[:, :1]}
    if case.overflow and samples > 14:
        y[13] = 1000.0  # in the second step, in the part of rank 1 on two ranks and on three
    return x, y, weights


def make_model(case: Case, batch_norm: Callable[..., keras.Layer]) -> keras.Model:
    """Return the case's model, with the same initial weights in every process.

    Args:
        case: says which.
        batch_norm: Keras's own `BatchNormalization` in one process, ours on many ranks.
    """
    keras.utils.set_random_seed(7)
    if case.model == "two outputs":
        return _two_outputs()
    inputs, hidden = _BODIES[case.model](
        case, lambda x, axis=-1: _normalized(x, case.norm, axis, batch_norm)
    )
    # float32 at least, as Keras advises for the last layer under mixed precision.
    dtype = "float64" if keras.config.floatx() == "float64" else "float32"
    classify = case.model == "classifier"
    activation = "sigmoid" if classify else None
    outputs = keras.layers.Dense(1 if classify else 3, activation, dtype=dtype, name="head")(hidden)
    kind = {"train_step": CustomStep, "unscaled": UnscaledStep}.get(case.loop, keras.Model)
    return kind(inputs, outputs)


def losses_and_metrics(case: Case) -> dict[str, Any]:
    """Return the arguments of `compile` that say what is computed."""
    if case.model == "two outputs":
        return {
            "loss": {"a": "mse", "b": "mae"},
            "loss_weights": {"a": 1.0, "b": 0.3},
            "metrics": {"a": ["mae"], "b": ["mse"]},
        }
    if case.model == "classifier":
        metrics = ["accuracy", keras.metrics.AUC(num_thresholds=11), keras.metrics.Precision()]
        return {"loss": "binary_crossentropy", "metrics": metrics}
    weighted = {"weighted_metrics": ["mse", keras.metrics.RootMeanSquaredError(name="rms")]}
    return {"loss": "mse", "metrics": ["mae"], **(weighted if case.weighted else {})}


class CustomStep(keras.Model):
    """A model with a `train_step` of its own, as Keras's guide writes it."""

    def train_step(self, data: Any) -> dict[str, Any]:
        import tensorflow as tf

        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            predicted = self(x, training=True)
            loss = self.compute_loss(x, y, predicted, weights)
            scaled = self._scaled(loss)
        gradients = tape.gradient(scaled, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        self._loss_tracker.update_state(loss, sample_weight=tf.shape(x)[0])
        return self.compute_metrics(x, y, predicted, weights)

    def _scaled(self, loss: Any) -> Any:
        return self.optimizer.scale_loss(loss)


class UnscaledStep(CustomStep):
    """The same without `scale_loss`, as many published train steps are."""

    def _scaled(self, loss: Any) -> Any:
        return loss


class Spare(keras.layers.Layer):
    """Holds a weight that nothing uses, so that its gradient is None."""

    def build(self, input_shape: Any) -> None:
        self.unused = self.add_weight(shape=(2,), name="unused")

    def call(self, inputs: Any) -> Any:
        return inputs


def _dense(case: Case, normalized: Normalize) -> tuple[Any, Any]:
    inputs = keras.Input((6,))
    hidden = keras.layers.Dense(8, use_bias=case.norm == "none", name="first")(inputs)
    hidden = keras.layers.Activation("tanh")(normalized(hidden))
    activation = "tanh" if case.model == "smooth" else "relu"
    return inputs, keras.layers.Dense(5, activation, name="second")(hidden)


def _convolution(case: Case, normalized: Normalize) -> tuple[Any, Any]:
    inputs = keras.Input((6, 6, 2))
    hidden = keras.layers.Conv2D(4, 3, use_bias=case.norm == "none", name="first")(inputs)
    hidden = keras.layers.Activation("relu")(normalized(hidden))
    return inputs, keras.layers.Flatten()(hidden)


def _images(case: Case, normalized: Normalize) -> tuple[Any, Any]:
    inputs = keras.Input((6, 6, 2))
    hidden = normalized(inputs, axis=1)
    return inputs, keras.layers.Flatten()(
        keras.layers.Conv2D(2, 3, activation="tanh", name="first")(hidden)
    )


def _embedding(case: Case, normalized: Normalize) -> tuple[Any, Any]:
    inputs = keras.Input((5,), dtype="int32")
    hidden = keras.layers.Embedding(12, 4, embeddings_initializer="normal", name="table")(inputs)
    return inputs, keras.layers.Flatten()(hidden)


def _regularized(case: Case, normalized: Normalize) -> tuple[Any, Any]:
    inputs = keras.Input((6,))
    layer = keras.layers.Dense(
        8,
        "tanh",
        kernel_regularizer=keras.regularizers.L1L2(0.01, 0.02),
        activity_regularizer="l2",
        kernel_constraint=keras.constraints.MaxNorm(0.9),
        name="first",
    )
    return inputs, layer(inputs)


def _two_outputs() -> keras.Model:
    inputs = keras.Input((6,))
    hidden = keras.layers.Dense(6, "tanh", name="first")(inputs)
    hidden = Spare(name="spare")(hidden)
    heads = {
        name: keras.layers.Dense(size, name=name)(hidden) for name, size in [("a", 3), ("b", 1)]
    }
    return keras.Model(inputs, heads)


def _normalized(inputs: Any, norm: str, axis: int, batch_norm: Callable[..., keras.Layer]) -> Any:
    if norm == "group":
        return keras.layers.GroupNormalization(2, name="norm")(inputs)
    if norm == "sync":
        return batch_norm(axis=axis, momentum=0.9, name="norm")(inputs)
    return inputs


_BODIES = {
    "dense": _dense,
    "classifier": _dense,
    "smooth": _dense,
    "convolution": _convolution,
    "images": _images,
    "embedding": _embedding,
    "regularized": _regularized,
}
