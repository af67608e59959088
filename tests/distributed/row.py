"""Train one row of `cases`: on the ranks of a pooled job through `ddl.distributed`, or in one process of plain Keras.

One file on purpose: a row is understood from here, from `cases` and from test_numbers.py. Models and data are small,
and the same in every process. No layer has a bias in front of a batch normalization: its gradient is zero but for
rounding, which optimizers of the Adam family turn into full steps, in any framework and on any number of machines.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.distributed import sabotage
from tests.distributed.cases import CASES, SUBSET, Case

Arrays = dict[str, np.ndarray]
Normalize = Callable[..., Any]


def train_on_ranks(name: str, precision: str, kind: str = "") -> Arrays | None:
    """Train a row on this job's ranks, with the package broken in one way (`kind`) or whole; rank 0 has the results."""
    trainer, case = Ranks(), CASES[name]
    with sabotage.applied(kind) if kind else contextlib.nullcontext():
        results = _train(trainer, case, precision)
    return None if trainer.part.rank else results


def train_in_plain_keras(name: str, precision: str) -> Arrays:
    """Train a row in one process, into which `ddl` is never imported."""
    return _train(PlainKeras(), CASES[name], precision)


def _train(trainer: PlainKeras, case: Case, precision: str) -> Arrays:
    """Return everything that is compared: weights, the optimizer's variables, losses and metrics of every epoch."""
    mixed = precision.startswith("mixed")
    keras.config.set_floatx("float32" if mixed else precision)
    keras.config.set_dtype_policy(precision)
    train_data, test_data = make_data(case, case.samples, 1), make_data(case, case.validation, 2)
    model = make_model(case, trainer.batch_norm)
    if trainer.part.rank:
        for variable in model.trainable_variables:  # rank 0's weights must reach everyone
            variable.assign(variable * 1.5 + 0.1)
    optimizer = trainer.optimizer(make_optimizer(trainer, case), case)
    model.compile(optimizer, **({"jit_compile": False} | losses_and_metrics(case) | case.fit))
    if case.name not in SUBSET and case.loop == "fit":
        build(model, train_data[1])
    if case.loop.endswith("tape"):
        history = _tape_loop(trainer, case, model, train_data)
    else:
        history = _fit(trainer, case, model, train_data, test_data)
    trainer.finish(model)
    values = {
        f"weight {i} {v.path}": v for i, v in enumerate(model.variables) if "seed" not in v.name
    }
    # The model's optimizer, not ours: `compile` may put a loss scale around it.
    values |= {f"slot {i} {v.name}": v for i, v in enumerate(model.optimizer.variables)}
    logs = {f"{name} per epoch": np.asarray(log, np.float64) for name, log in history.items()}
    return {name: np.asarray(v.numpy()) for name, v in values.items()} | logs


def build(model: keras.Model, y: Any) -> None:
    """Build what `fit` would build in its first step: Keras then traces the step once, not twice.

    ScheduleFreeAdamW needs it: built inside the traced step, it copies weights that are still zero (Keras 3.15).
    """
    one = keras.tree.map_structure(lambda leaf: tf.constant(leaf[:1]), y)
    if model._compile_metrics is not None:
        model._compile_metrics.build(one, one)
    model._compile_loss.build(one, one)
    model.optimizer.build(model.trainable_variables)


def make_optimizer(trainer: PlainKeras, case: Case) -> keras.optimizers.Optimizer:
    """Return the case's plain Keras optimizer."""
    options = dict(case.options)
    if options.get("learning_rate") == "warm-up":
        options["learning_rate"] = trainer.warm_up(0.02, 4, 5)
    if case.optimizer == "LossScale":
        return keras.optimizers.LossScaleOptimizer(
            keras.optimizers.Adam(**options), initial_scale=64.0
        )
    if case.optimizer == "Multi":
        return _multi_optimizer(**options)
    return getattr(keras.optimizers, case.optimizer)(**options)


def _multi_optimizer(**options: Any) -> keras.optimizers.Optimizer:
    chosen = keras.optimizers.OptimizerMap(keras.optimizers.Adam(**options))
    chosen["first"] = keras.optimizers.SGD(**options)
    return keras.optimizers.MultiOptimizer(chosen)


def _fit(
    trainer: PlainKeras, case: Case, model: keras.Model, train_data: Any, test_data: Any
) -> Any:
    part = trainer.part
    fed = part.arrays(case, train_data) if case.feed == "arrays" else part.dataset(case, train_data)
    keywords = (
        {"batch_size": part.size(case.batch), "shuffle": False} if case.feed == "arrays" else {}
    )
    if isinstance(fed, tuple):
        keywords |= dict(zip(("x", "y", "sample_weight"), fed, strict=True))
    else:
        keywords["x"] = fed
    history = model.fit(
        **keywords,
        epochs=case.epochs,
        verbose=0,
        callbacks=trainer.callbacks(),
        validation_data=part.dataset(case, test_data) if case.validation else None,
    )
    return history.history


def _tape_loop(trainer: PlainKeras, case: Case, model: keras.Model, data: Any) -> Any:
    say = trainer.step_samples if case.loop == "tape" else lambda count: contextlib.nullcontext()
    trainer.start(model)

    @tf.function(reduce_retracing=True)
    def step(x: Any, y: Any, count: Any) -> Any:
        with say(count):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(model(x, training=True) - y))
            found = tape.gradient(loss, model.trainable_variables)
            model.optimizer.apply_gradients(zip(found, model.trainable_variables, strict=True))
        return loss

    history: dict[str, list[float]] = {"loss": []}
    for _ in range(case.epochs):
        for x, y, _ in trainer.part.batches(case, data):
            loss = step(tf.constant(x), tf.constant(y), tf.constant(len(x)))
            history["loss"].append(trainer.mean(float(loss), len(x)))
    return history


class PlainKeras:
    """One process, Keras as it is: what the ranks must equal."""

    batch_norm = keras.layers.BatchNormalization

    def __init__(self) -> None:
        self.part = Part(0, 1)

    def optimizer(
        self, optimizer: keras.optimizers.Optimizer, case: Case
    ) -> keras.optimizers.Optimizer:
        """Return what the model is compiled with."""
        if case.wire.get("sparse_as_dense"):
            # Keras treats the rows of a sparse gradient one by one, also a row that is there twice (Adam
            # squares each), so "as dense" has to be compared with a dense gradient.
            inner = optimizer.apply
            optimizer.apply = lambda grads, variables=None: inner(
                [tf.convert_to_tensor(gradient) for gradient in grads], variables
            )
        return optimizer

    def warm_up(self, learning_rate: float, ranks: int, steps: int) -> Any:
        """Return a learning rate that rises from one rank's to that of `ranks` ranks in so many steps."""
        schedule = keras.optimizers.schedules.PolynomialDecay
        return schedule(learning_rate, steps, learning_rate * ranks)

    def callbacks(self) -> list[keras.callbacks.Callback]:
        """Return what `fit` is given."""
        return []

    def start(self, model: keras.Model) -> None:
        """Do what comes before a `GradientTape` loop."""

    def step_samples(self, count: int) -> contextlib.AbstractContextManager[Any]:
        """Return what a step of a `GradientTape` loop is inside of."""
        return contextlib.nullcontext()

    def mean(self, value: float, count: int) -> float:
        """Return the mean of a step's loss over all samples."""
        return value

    def finish(self, model: keras.Model) -> None:
        """Check what must hold after training."""


class Ranks(PlainKeras):
    """A rank of this job, through `ddl.distributed`."""

    def __init__(self) -> None:
        import ddl.distributed as dist

        self.dist, self.part = dist, Part(dist.rank(), dist.size())
        self.batch_norm = dist.SyncBatchNormalization

    def optimizer(
        self, optimizer: keras.optimizers.Optimizer, case: Case
    ) -> keras.optimizers.Optimizer:
        return self.dist.DistributedOptimizer(optimizer, **case.wire)

    def warm_up(self, learning_rate: float, ranks: int, steps: int) -> Any:
        return self.dist.scaled_learning_rate(learning_rate, ranks=ranks, warmup_steps=steps)

    def callbacks(self) -> list[keras.callbacks.Callback]:
        checked = not sabotage.active()
        return self.dist.standard_callbacks(check_every_steps=3 if checked else 0)

    def start(self, model: keras.Model) -> None:
        self.dist.broadcast_state(model)

    def step_samples(self, count: int) -> contextlib.AbstractContextManager[Any]:
        return self.dist.step_samples(count)

    def mean(self, value: float, count: int) -> float:
        total, samples = self.dist.allreduce(np.array([value * count, count]), "sum")
        return total / samples

    def finish(self, model: keras.Model) -> None:
        difference = self.dist.find_desync(model)
        if difference is not None and not sabotage.active():
            raise AssertionError(f"find_desync: {difference}")


@dataclass(frozen=True)
class Part:
    """Rank `rank` of `ranks` takes its contiguous part of every global batch; the first ranks take the longer ones."""

    rank: int
    ranks: int

    def size(self, count: int) -> int:
        """Return how many of `count` samples are this rank's."""
        return count // self.ranks + (self.rank < count % self.ranks)

    def rows(self, start: int, stop: int) -> slice:
        """Return this rank's rows of the global batch `start` to `stop`."""
        count = stop - start
        first = start + self.rank * (count // self.ranks) + min(self.rank, count % self.ranks)
        return slice(first, first + self.size(count))

    def batches(self, case: Case, data: Any) -> Iterator[Any]:
        """Yield this rank's part of every global batch of (x, y, sample weights), also where it is empty."""
        samples = len(keras.tree.flatten(data[0])[0])
        for start in range(0, samples, case.batch):
            rows = self.rows(start, min(start + case.batch, samples))
            yield keras.tree.map_structure(lambda leaf, rows=rows: _taken(leaf, rows), data)

    def arrays(self, case: Case, data: Any) -> Any:
        """Return this rank's parts of all batches, one after the other."""
        return keras.tree.map_structure(
            lambda *leaves: None if leaves[0] is None else np.concatenate(leaves),
            *self.batches(case, data),
        )

    def dataset(self, case: Case, data: Any) -> tf.data.Dataset:
        """Return what `fit` and `evaluate` are given: batches of any size, or of a fixed one (`feed="static"`)."""
        data = tuple(leaf for leaf in data if leaf is not None)
        if case.feed == "static":
            dataset = tf.data.Dataset.from_tensor_slices(self.arrays(case, data))
            dataset = dataset.batch(self.size(case.batch), drop_remainder=True)
        else:
            signature = keras.tree.map_structure(
                lambda leaf: tf.TensorSpec((None, *leaf.shape[1:]), leaf.dtype), data
            )
            dataset = tf.data.Dataset.from_generator(
                lambda: self.batches(case, data), output_signature=signature
            )
            steps = -(-len(keras.tree.flatten(data[0])[0]) // case.batch)
            dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
        options = tf.data.Options()
        options.autotune.enabled = False  # it can stall the end of an epoch by seconds
        return dataset.with_options(options)


def _taken(leaf: Any, rows: slice) -> Any:
    return None if leaf is None else leaf[rows]


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
