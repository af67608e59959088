"""What test_guard.py has three ranks attempt. Each part returns what its attempts gave: an error's text, or "yes"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import horovod.tensorflow.keras as hvd_keras
import keras
import numpy as np
import tensorflow as tf

import ddl.distributed as dist

RANK, SIZE = dist.rank(), dist.size()
X = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
Y = X.sum(axis=1, keepdims=True)
FACTS: dict[str, str] = {}


def attempt(name: str, action: Callable[[], Any]) -> None:
    """Note the error's text on rank 0. An attempt fails on all ranks or on none."""
    try:
        FACTS[name] = "yes" if action() in (None, True) else "no"
    except (ValueError, RuntimeError) as error:
        FACTS[name] = str(error)
    dist.barrier()


def model(optimizer: Any = None, units: int = 1, **kwargs: Any) -> keras.Model:
    built = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, name="dense", **kwargs)])
    built.compile(optimizer or dist.DistributedOptimizer(keras.optimizers.Adam(0.01)), "mse")
    return built


def fit(a_model: keras.Model, callbacks: Any = ()) -> None:
    a_model.fit(X, Y, batch_size=2, shuffle=False, verbose=0, callbacks=list(callbacks))


def equal(value: np.ndarray) -> bool:
    return len({item.tobytes() for item in dist.allgather(np.asarray(value))}) == 1


def refusals() -> None:
    plain = keras.optimizers.SGD(0.1)
    attempt("plain optimizer in fit", lambda: fit(model(plain)))
    attempt("plain optimizer in train_on_batch", lambda: model("sgd").train_on_batch(X, Y))
    replaced = model()
    replaced.optimizer = keras.optimizers.SGD(0.1)
    attempt("optimizer replaced after compile", lambda: fit(replaced))
    theirs = hvd_keras.DistributedOptimizer(keras.optimizers.SGD(0.1))
    attempt("horovod's wrapper in fit", lambda: fit(model(theirs)))
    attempt("horovod's wrapper wrapped", lambda: dist.DistributedOptimizer(theirs))
    twice = dist.DistributedOptimizer(keras.optimizers.SGD(0.1))
    attempt("wrapped twice", lambda: dist.DistributedOptimizer(twice))
    attempt("unknown compression", lambda: dist.DistributedOptimizer("sgd", compression="zip"))
    attempt("no optimizer at all", lambda: dist.DistributedOptimizer(object()))
    attempt("loss scale outside in a tape loop", lambda: scaled_tape_step(twice))
    attempt("float8 variable", float8_step)
    summed = model()
    summed.compile(summed.optimizer, keras.losses.MeanSquaredError(reduction="sum"))
    attempt("loss that is a sum", lambda: fit(summed))
    plain_again = keras.optimizers.SGD(0.1)
    attempt("plain optimizer in a tape loop", lambda: tape_step(plain_again))
    attempt("different steps", lambda: fit_part(slice(0, 4 * (RANK + 1))))
    attempt("different models", lambda: dist.broadcast_state(model(units=5 if RANK == 2 else 3)))


def scaled_tape_step(inner: Any) -> None:
    optimizer = keras.optimizers.LossScaleOptimizer(inner)
    variable = keras.Variable(1.0)
    optimizer.apply([tf.constant(1.0)], [variable])


def tape_step(optimizer: Any) -> None:
    optimizer.apply([tf.constant(1.0)], [keras.Variable(1.0)])


def fit_part(mine: slice) -> None:
    model().fit(X[mine], Y[mine], batch_size=2, verbose=0, callbacks=dist.standard_callbacks())


def float8_step() -> None:
    variable = keras.Variable(1.0)
    variable.overwrite_with_gradient = True
    dist.DistributedOptimizer(keras.optimizers.SGD(0.1)).apply([tf.constant(1.0)], [variable])


def start_equal() -> None:
    attempt(
        "a model that reduces itself may keep its optimizer",
        lambda: fit(dist.reduces_itself(model("sgd"))),
    )
    attempt(
        "an optimizer that its loop reduces for may be a plain one",
        lambda: tape_step(dist.reduces_itself(keras.optimizers.SGD(0.1))),
    )
    made = dist.DistributedOptimizer(keras.optimizers.SGD(0.1))
    attempt(
        "a copy made from the config reduces too",
        lambda: tape_step(type(made).from_config(made.get_config())),
    )
    keras.utils.set_random_seed(RANK)
    apart = model()
    wanted = dist.broadcast(apart.get_weights())

    def starts_from_root() -> bool:
        apart.optimizer.learning_rate = 0.0
        fit(apart)
        return np.array_equal(apart.get_weights()[0], wanted[0])

    attempt("ranks start from rank 0's weights without a callback", starts_from_root)

    def loaded_on_one() -> bool:
        loaded = model()
        if RANK == 1:  # as after load_model on this rank alone: slots exist, here only
            loaded.optimizer.build(loaded.trainable_variables)
            for variable in [*loaded.variables, *loaded.optimizer.variables]:
                variable.assign(keras.ops.ones_like(variable) * 5)
        dist.broadcast_state(loaded, root=1)
        values = [variable.numpy() for variable in loaded.optimizer.variables]
        return all((value == 5).all() for value in values) and dist.find_desync(loaded) is None

    attempt("a state loaded on rank 1 alone reaches all", loaded_on_one)

    def dropout() -> bool:
        layer = keras.layers.Dropout(0.5, seed=3)
        dropping = keras.Sequential([keras.Input((64,)), layer, keras.layers.Dense(1)])
        dist.broadcast_state(dropping)
        states = [layer.seed_generator.state.numpy()]
        masks = dist.allgather(np.asarray(layer(np.ones((1, 64)), training=True)))
        differ = len({mask.tobytes() for mask in masks}) == SIZE
        dist.broadcast_state(dropping)  # again, from rank 0's state after one use
        states.append(layer.seed_generator.state.numpy())
        return differ and bool(states[0][0] == states[1][0])

    attempt("dropout differs between ranks and resumes", dropout)


class Peak(keras.metrics.Metric):
    """A metric whose state is no sum: the mean of peaks, and rank 0's number."""

    def __init__(self) -> None:
        super().__init__(name="peak")
        self.peak = self.add_variable((), "zeros", aggregation="mean")
        self.first = self.add_variable((), "zeros", aggregation="only_first_replica")

    def update_state(self, y: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.peak.assign(keras.ops.maximum(self.peak, keras.ops.max(y)))
        self.first.assign(RANK + 10.0)

    def result(self) -> Any:
        return self.peak * 100 + self.first


def evaluated(a_model: keras.Model, mine: slice) -> dict[str, Any]:
    reduced = [dist.ReduceMetrics()]
    found: dict[str, Any] = a_model.evaluate(
        X[mine], Y[mine], verbose=0, batch_size=4, return_dict=True, callbacks=reduced
    )
    return found


def metrics() -> None:
    measured = model()
    measured.compile(measured.optimizer, "mse", metrics=["mae", Peak()])
    sizes = [7, 4, 1]  # uneven on purpose
    start = sum(sizes[:RANK])
    mine = slice(start, start + sizes[RANK])
    dist.broadcast_state(measured)
    values = evaluated(measured, mine)
    error = measured.predict(X, verbose=0) - Y
    expected = {"loss": np.mean(error**2), "mae": np.mean(np.abs(error))}
    attempt(
        "evaluate gives the value over all samples",
        lambda: all(np.isclose(values[name], expected[name], rtol=1e-6) for name in expected),
    )
    peak = float(np.mean(dist.allgather(max(0.0, float(Y[mine].max())))))
    attempt(
        "metrics with other aggregations",
        lambda: bool(np.isclose(values["peak"], peak * 100 + 10, rtol=1e-5)),
    )
    measured.compile(measured.optimizer, "mse", metrics=["mae"], run_eagerly=True)
    eager = evaluated(measured, mine)
    attempt(
        "evaluate does so in eager mode, with uneven steps",
        lambda: bool(np.isclose(eager["mae"], expected["mae"], rtol=1e-6)),
    )
    measured.compile(measured.optimizer, "mse", metrics=["mae"])
    attempt(
        "training goes on after evaluate on its own",
        lambda: fit(measured, dist.standard_callbacks()),
    )


def statistics() -> None:
    layer = keras.layers.BatchNormalization()
    local = keras.Sequential([keras.Input((4,)), layer])
    layer.moving_mean.assign(np.full(4, float(RANK)))
    dist.average_moving_statistics(local)
    attempt(
        "local statistics are averaged",
        lambda: bool((layer.moving_mean.numpy() == (SIZE - 1) / 2).all()),
    )
    local.compile(dist.DistributedOptimizer("sgd"), "mse")
    attempt(
        "local statistics in mid-epoch are no desync",
        lambda: (
            local.fit(X + RANK, X, 2, 1, 0, dist.standard_callbacks(check_every_steps=2)) and None
        ),
    )


def desync() -> None:
    whole = model()
    fit(whole)
    attempt("equal ranks show no desync", lambda: dist.find_desync(whole) is None)

    def disturbed(rank: int, change: Callable[[], Any], undo: Callable[[], Any]) -> str:
        if rank == RANK:
            change()
        found = dist.find_desync(whole)
        if rank == RANK:
            undo()
        return found or "nothing found"

    kernel, slot = whole.layers[0].kernel, whole.optimizer.variables[2]
    for name, rank, variable in (("weight", 1, kernel), ("slot", 2, slot)):
        value = variable.numpy()
        FACTS[f"disturbed {name}"] = disturbed(
            rank,
            lambda v=variable: v.assign(v * 1.0000002),
            lambda v=variable, x=value: v.assign(x),
        )
    optimizer = whole.optimizer
    FACTS["disturbed learning rate"] = disturbed(
        0,
        lambda: setattr(optimizer, "learning_rate", 0.02),
        lambda: setattr(optimizer, "learning_rate", 0.01),
    )
    steps = int(optimizer.iterations.numpy())
    FACTS["disturbed step"] = disturbed(
        1, lambda: optimizer.iterations.assign(99), lambda: optimizer.iterations.assign(steps)
    )

    class Disturb(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 2 and RANK == 1:
                kernel.assign(kernel * 2)

    attempt("disturbed in fit", lambda: fit(whole, [Disturb(), dist.CheckDesync(2)]))


def run(part: str) -> dict[str, str]:
    """Run one of the functions above, and return its facts."""
    FACTS.clear()
    globals()[part]()
    return dict(FACTS)
