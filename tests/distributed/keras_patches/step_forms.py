"""Every way to write `train_step` and `test_step` that Keras's guides show, on any number of ranks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

import ddl.distributed as dist

STEPS, GLOBAL_BATCH, EPOCHS = 3, 6, 2
X = np.random.default_rng(7).normal(size=(STEPS * GLOBAL_BATCH, 4)).astype("float32")
Y = X.sum(axis=1, keepdims=True) + np.arange(len(X), dtype="float32")[:, None] / 7

FORMS: dict[str, Callable[[], keras.Model]] = {}
"""Name -> a function that returns a compiled model with a step of that form."""


def form(build: Callable[[], keras.Model]) -> Callable[[], keras.Model]:
    FORMS[build.__name__] = build
    return build


def small(kind: type[keras.Model] = keras.Model, **arguments: Any) -> keras.Model:
    """Return a small model of a class."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4,))
    return kind(inputs, keras.layers.Dense(1)(inputs), **arguments)


def adam() -> Any:
    return dist.DistributedOptimizer(keras.optimizers.Adam(0.01))


def update(model: keras.Model, loss_of: Callable[[], Any]) -> Any:
    """Take the gradient step of the guides, and return the loss."""
    with tf.GradientTape() as tape:
        loss = loss_of()
    weights = model.trainable_variables
    model.optimizer.apply(tape.gradient(loss, weights), weights)
    return loss


@form
def keras_own_step() -> keras.Model:
    model = small()
    model.compile(adam(), "mse", metrics=["mae"])
    return model


class Simple(keras.Model):
    """The first example of "Customizing what happens in fit()"."""

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred)
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


@form
def compiled_metrics_by_name() -> keras.Model:
    model = small(Simple)
    model.compile(adam(), "mse", metrics=["mae", "mape"])
    return model


@form
def compiled_metrics_run_eagerly() -> keras.Model:
    model = small(Simple)
    model.compile(adam(), "mse", metrics=["mae"], run_eagerly=True)
    return model


@form
def compiled_metrics_in_blocks_of_steps() -> keras.Model:
    model = small(Simple)
    model.compile(adam(), "mse", metrics=["mae"], steps_per_execution=3)
    return model


class LowLevel(keras.Model):
    """Its own metrics in place of compiled ones, with the `metrics` property."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.mae_metric = keras.metrics.MeanAbsoluteError(name="mae")
        self.loss_fn = keras.losses.MeanSquaredError()

    def train_step(self, data: Any) -> Any:
        x, y = data
        loss = update(self, lambda: self.loss_fn(y, self(x, training=True)))
        self.loss_tracker.update_state(loss)
        self.mae_metric.update_state(y, self(x))
        return {"loss": self.loss_tracker.result(), "mae": self.mae_metric.result()}

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return [self.loss_tracker, self.mae_metric]


@form
def own_metrics() -> keras.Model:
    model = small(LowLevel)
    model.compile(optimizer=adam())
    return model


class OtherNames(LowLevel):
    """Keys that are not the metrics' names, and no `metrics` property that lists them all."""

    def train_step(self, data: Any) -> Any:
        logs = super().train_step(data)
        return {"my_loss": logs["loss"], "errors": {"absolute": logs["mae"]}}

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return keras.Model.metrics.fget(self)  # type: ignore[attr-defined, no-any-return]


@form
def own_names_and_nested_logs() -> keras.Model:
    model = small(OtherNames)
    model.compile(optimizer=adam())
    return model


class Weighted(keras.Model):
    """The guide's step with sample weights."""

    def train_step(self, data: Any) -> Any:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        loss = update(
            self,
            lambda: self.compute_loss(y=y, y_pred=self(x, training=True), sample_weight=weight),
        )
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, self(x), sample_weight=weight)
        return {m.name: m.result() for m in self.metrics}


@form
def sample_weights() -> keras.Model:
    model = small(Weighted)
    model.compile(adam(), "mse", metrics=["mae"])
    return model


class TestStep(keras.Model):
    """The guide's own evaluation step."""

    def test_step(self, data: Any) -> Any:
        x, y = data
        y_pred = self(x, training=False)
        loss = self.compute_loss(y=y, y_pred=y_pred)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


@form
def own_test_step() -> keras.Model:
    model = small(TestStep)
    model.compile(adam(), "mse", metrics=["mae"])
    return model


class RawLoss(keras.Model):
    """The loss of the last batch, as older guides return it."""

    def train_step(self, data: Any) -> Any:
        x, y = data
        loss = update(self, lambda: self.compute_loss(y=y, y_pred=self(x, training=True)))
        return {"batch_loss": loss, "learning_rate": self.optimizer.learning_rate}


@form
def raw_tensors() -> keras.Model:
    model = small(RawLoss)
    model.compile(adam(), "mse")
    return model


class Extended(keras.Model):
    """Keras's own step, and one log more."""

    def train_step(self, data: Any) -> Any:
        logs = super().train_step(data)
        return {**logs, "steps": ops.cast(self.optimizer.iterations, "float32")}


@form
def one_log_more() -> keras.Model:
    model = small(Extended)
    model.compile(adam(), "mse", metrics=["mae"])
    return model


class Gan(keras.Model):
    """Two networks and two optimizers, as in the guide's end-to-end example."""

    def __init__(self) -> None:
        super().__init__()
        keras.utils.set_random_seed(1)
        self.discriminator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        self.generator = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        self.d_loss_tracker = keras.metrics.Mean(name="d_loss")
        self.g_loss_tracker = keras.metrics.Mean(name="g_loss")
        self.built = True

    def compile(self, d_optimizer: Any, g_optimizer: Any, loss_fn: Any) -> None:
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return [self.d_loss_tracker, self.g_loss_tracker]

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            real = self.discriminator(y)
            fake = self.discriminator(self.generator(x))
            d_loss = self.loss_fn(ops.ones_like(real), real)
            d_loss += self.loss_fn(ops.zeros_like(fake), fake)
        weights = self.discriminator.trainable_weights
        self.d_optimizer.apply(tape.gradient(d_loss, weights), weights)
        with tf.GradientTape() as tape:
            fake = self.discriminator(self.generator(x))
            g_loss = self.loss_fn(ops.ones_like(fake), fake)
        weights = self.generator.trainable_weights
        self.g_optimizer.apply(tape.gradient(g_loss, weights), weights)
        self.d_loss_tracker.update_state(d_loss)
        self.g_loss_tracker.update_state(g_loss)
        return {"d_loss": self.d_loss_tracker.result(), "g_loss": self.g_loss_tracker.result()}


@form
def gan_with_two_optimizers() -> keras.Model:
    model = Gan()
    model.compile(adam(), adam(), keras.losses.BinaryCrossentropy(from_logits=True))
    return model


class Autoencoder(keras.Model):
    """Several losses with trackers, as in the guide of the variational autoencoder."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.total_loss_tracker = keras.metrics.Mean(name="total_loss")
        self.kl_loss_tracker = keras.metrics.Mean(name="kl_loss")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return [self.total_loss_tracker, self.kl_loss_tracker]

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            kl_loss = ops.mean(ops.square(y_pred)) / 10
            total_loss = ops.mean(ops.square(y - y_pred)) + kl_loss
        weights = self.trainable_weights
        self.optimizer.apply(tape.gradient(total_loss, weights), weights)
        self.total_loss_tracker.update_state(total_loss)
        self.kl_loss_tracker.update_state(kl_loss)
        return {
            "loss": self.total_loss_tracker.result(),
            "kl_loss": self.kl_loss_tracker.result(),
        }


@form
def several_losses_with_trackers() -> keras.Model:
    model = small(Autoencoder)
    model.compile(optimizer=adam())
    return model


class Distiller(keras.Model):
    """A `compute_loss` of its own, as in the guide of distillation, and Keras's step."""

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None
    ) -> Any:
        return ops.mean(ops.square(y - y_pred)) + 0.1 * ops.mean(ops.abs(y_pred))


@form
def own_compute_loss() -> keras.Model:
    model = small(Distiller)
    model.compile(adam(), metrics=["mae"])
    return model


class Numbers(Simple):
    """Numbers in place of tensors, as an eager step can return them."""

    def train_step(self, data: Any) -> Any:
        logs = super().train_step(data)
        metrics = logs["compile_metrics"]
        return {"mae": float(metrics["mae"]), "rmse": metrics["rmse"].numpy()}


@form
def numbers_of_an_eager_step() -> keras.Model:
    model = small(Numbers)
    rmse = keras.metrics.RootMeanSquaredError(name="rmse")  # not a mean of the ranks' values
    model.compile(adam(), "mse", metrics=["mae", rmse], run_eagerly=True)
    return model


class Root(Simple):
    """A value computed from a metric's result."""

    def train_step(self, data: Any) -> Any:
        logs = super().train_step(data)
        return {"rmse": ops.sqrt(logs["loss"])}


REFUSED = {"a root of a result": False, "a root of an eager result": True}
"""Name -> whether its step runs eagerly."""


def part(values: np.ndarray) -> np.ndarray:
    """Return this rank's part, so that each global step has the same samples on any number of ranks."""
    steps = values.reshape(STEPS, dist.size(), -1, *values.shape[1:])
    return steps[:, dist.rank()].reshape(-1, *values.shape[1:])


def logs_of(name: str) -> dict[str, Any]:
    """Train a form, and return the logs of `fit`, with validation, and of `evaluate`."""
    model = FORMS[name]()
    arguments = {"batch_size": GLOBAL_BATCH // dist.size(), "verbose": 0}
    weights = {"sample_weight": part(1 + Y[:, 0] ** 2)} if name == "sample_weights" else {}
    has_test = model.loss is not None  # Keras's own test_step needs one
    history = model.fit(
        part(X), part(Y), epochs=EPOCHS, shuffle=False, callbacks=dist.standard_callbacks(),
        validation_data=(part(X), part(Y)) if has_test else None, **weights, **arguments,
    ).history  # fmt: skip
    logs = {key: [float(v) for v in values] for key, values in history.items()}
    if has_test:
        callbacks = [dist.ReduceMetrics()]
        found = model.evaluate(part(X), part(Y), return_dict=True, callbacks=callbacks, **arguments)
        logs |= {f"evaluate {key}": float(value) for key, value in found.items()}
    return logs


def refusal_of(name: str) -> str:
    """Return the error of a form that is refused."""
    model = small(Root)
    model.compile(adam(), "mse", metrics=["mae"], run_eagerly=REFUSED[name])
    try:
        model.fit(part(X), part(Y), verbose=0, callbacks=dist.standard_callbacks())
    except ValueError as error:
        return str(error)
    return "accepted"


class StopsOnItsOwn(keras.callbacks.Callback):
    """Stops on the last rank alone, after a batch or an epoch."""

    def __init__(self, hook: str) -> None:
        super().__init__()
        if hook == "batch":
            self.on_train_batch_end = self.stop  # type: ignore[method-assign]
        else:
            self.on_epoch_end = self.stop  # type: ignore[method-assign]

    def stop(self, number: int, logs: Any = None) -> None:
        if number == 1 and dist.rank() == dist.size() - 1:
            self.model.stop_training = True


def steps_taken(hook: str) -> int:
    """Return after how many steps this rank stopped, where the last rank's callback alone stops."""
    model = FORMS["compiled_metrics_by_name"]()
    # Only the last rank has the callback: as with `if rank == 0: callbacks.append(...)`.
    own = [StopsOnItsOwn(hook)] if dist.rank() == dist.size() - 1 else []
    callbacks = [*dist.standard_callbacks(), *own]
    model.fit(part(X), part(Y), batch_size=1, epochs=4, verbose=0, callbacks=callbacks)
    return int(model.optimizer.iterations.numpy())


def epochs_of_early_stopping() -> int:
    """Return after how many epochs this rank stopped by the validation metric of the guide's step."""
    model = FORMS["compiled_metrics_by_name"]()
    stops = keras.callbacks.EarlyStopping("mae", patience=0, mode="max")
    callbacks = [*dist.standard_callbacks(), stops]
    history = model.fit(part(X), part(Y), batch_size=3, epochs=6, verbose=0, callbacks=callbacks)
    return len(history.epoch)
