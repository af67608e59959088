"""Train and take a checkpoint on the way, or resume from it; each rank keeps all that it has in a file of its own.

test_snapshot.py calls `run` on two ranks ("whole", "again") and on three ("other") of the pool.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import ddl.distributed as dist

CASES = ("own state", "loss scale")
EPOCHS, STEPS = 3, 5
STOP = {"own state": (1, 3), "loss scale": (2, 0)}  # (epochs that are done, steps of the next)
COUNT = 7  # samples a step, in parts of different sizes


def run(folder: Path, action: str) -> None:
    """Run every case, and keep on every rank what refusing a wrong model said."""
    import keras

    for case in CASES:
        keras.utils.clear_session()
        keras.config.set_dtype_policy("mixed_float16" if case == "loss scale" else "float32")
        keras.utils.set_random_seed(3 if action == "whole" else 100 + dist.rank())
        model = make_model(case)
        path = folder / case / "epoch.h5"
        logs = whole(model, case, path) if action == "whole" else resumed(model, case, path, action)
        keep(model, logs, folder / case / f"{action}-{dist.rank()}.npz")
    if action == "other":
        refuse(path)


def make_model(case: str, width: int = 6) -> Any:
    """Return a compiled model with all that ranks may have of their own, or one in float16."""
    import keras

    if case == "own state":
        norm, drop = keras.layers.BatchNormalization(name="norm"), keras.layers.Dropout(0.3)
        optimizer = keras.optimizers.Adam(0.01, gradient_accumulation_steps=3)
    else:
        norm, drop = dist.SyncBatchNormalization(name="norm"), keras.layers.Activation("relu")
        optimizer = keras.optimizers.LossScaleOptimizer(
            keras.optimizers.Adam(0.01), initial_scale=1024.0, dynamic_growth_steps=3
        )
    dense = [keras.layers.Dense(units, name=f"dense_{units}") for units in (width, 2)]
    model = keras.Sequential([keras.Input((4,)), dense[0], norm, drop, dense[1]], name="small")
    model.compile(dist.DistributedOptimizer(optimizer), "mse", metrics=["mae"])
    return model


def batches(epoch: int, step: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield this rank's part of every step from there on."""
    for at in range(epoch * STEPS + step, EPOCHS * STEPS):
        x = np.random.default_rng(at).normal(size=(COUNT, 4)).astype("float32")
        part = x[dist.rank() :: dist.size()]
        yield part, part[:, :2] ** 2


def fit(model: Any, epoch: int, step: int, epochs: int, callbacks: Any) -> dict[str, Any]:
    """Train from a position to the end of `epochs`."""
    import tensorflow as tf

    dataset = tf.data.Dataset.from_generator(
        lambda: batches(epoch, step), output_signature=signature()
    )
    standard = dist.standard_callbacks(check_every_steps=2)
    history = model.fit(
        dataset.repeat(),
        initial_epoch=epoch,
        epochs=epochs,
        steps_per_epoch=STEPS - step,
        shuffle=False,
        verbose=0,
        callbacks=[*standard, *callbacks],
    )
    found: dict[str, Any] = history.history
    return found


def signature() -> Any:
    """Return the shapes of a batch."""
    import tensorflow as tf

    return tf.TensorSpec((None, 4)), tf.TensorSpec((None, 2))


def whole(model: Any, case: str, path: Path) -> dict[str, Any]:
    """Train without a stop, and write a checkpoint on the way. Return the epochs' logs from there on."""
    import keras

    from ddl.training.checkpoint.checkpoint_file import write_checkpoint
    from ddl.training.checkpoint.snapshot import take_snapshot

    epochs, steps = STOP[case]

    class Take(keras.callbacks.Callback):
        epoch = 0

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.epoch = epoch

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if steps and (self.epoch, batch + 1) == (epochs, steps):
                self.take()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if (epoch + 1, 0) == (epochs, steps):
                self.take()

        def take(self) -> None:
            keep(self.model, {}, path.with_name(f"stop-{dist.rank()}.npz"))
            snapshot = take_snapshot(self.model, {}, mid_epoch=bool(steps))
            assert (snapshot is not None) == dist.is_root()
            if snapshot is not None:
                write_checkpoint(path, snapshot)

    logs = fit(model, 0, 0, EPOCHS, [Take()])
    return {name: values[epochs:] for name, values in logs.items()}


def resumed(model: Any, case: str, path: Path, action: str) -> dict[str, Any]:
    """Go on from the checkpoint, in a fit of the epoch that is under way and one of the rest."""
    import keras

    from ddl.distributed.keras_patches.uneven_batches import build_metrics
    from ddl.training.checkpoint.checkpoint_file import open_checkpoint
    from ddl.training.checkpoint.snapshot import restore_metrics, restore_snapshot

    epochs, steps = STOP[case]
    snapshot = open_checkpoint(path).read() if dist.is_root() else None

    class Restore(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == epochs:
                build_metrics(self.model, signature())
                restore_metrics(self.model, snapshot)
                name = f"restored-{action}-{dist.rank()}.npz"
                keep(self.model, {}, path.with_name(name))

    restore_snapshot(model, snapshot)
    logs = fit(model, epochs, steps, epochs + 1, [Restore()])
    if epochs + 1 < EPOCHS:
        rest = fit(model, epochs + 1, 0, EPOCHS, [])
        logs = {name: [*values, *rest[name]] for name, values in logs.items()}
    return logs


def keep(model: Any, logs: dict[str, Any], path: Path) -> None:
    """Write all variables of this rank."""
    named = {f"model {n} {v.path}": v for n, v in enumerate(model.variables)}
    named |= {f"slot {n} {v.name}": v for n, v in enumerate(model.optimizer.variables)}
    named |= {f"metric {n} {v.path}": v for n, v in enumerate(model.metrics_variables)}
    arrays = {name.replace("/", "."): np.asarray(v.numpy()) for name, v in named.items()}
    logged = {f"log {name}": np.array(values) for name, values in logs.items()}
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **arrays, **logged)


def refuse(path: Path) -> None:
    """Restore into another model: every rank must be told why not, and none be left waiting."""
    from ddl.training.checkpoint.checkpoint_file import open_checkpoint
    from ddl.training.checkpoint.snapshot import restore_snapshot

    snapshot = open_checkpoint(path).read() if dist.is_root() else None
    try:
        restore_snapshot(make_model(CASES[1], width=5), snapshot)
    except ValueError as error:
        path.with_name(f"refused-{dist.rank()}.txt").write_text(str(error))
