"""Train on the ranks of a pooled job and save; or load and train on, in one process without `ddl`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

FORMATS = ("model.keras", "model.h5", "model.weights.h5")


def train_and_save(folder: Path) -> None:
    """Train two epochs, save, and train two more. All ranks call it."""
    import keras

    import ddl.distributed as dist

    keras.utils.set_random_seed(3)
    model = _model(keras, dist.SyncBatchNormalization)
    model.compile(dist.DistributedOptimizer(_optimizer(keras)), "mse")
    x, y = _data()
    mine = slice(dist.rank(), None, dist.size())
    callbacks = dist.standard_callbacks()
    model.fit(
        x[mine], y[mine], batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=callbacks
    )
    if dist.is_root():
        for name in FORMATS:
            (model.save_weights if "weights" in name else model.save)(folder / name)
        np.savez(folder / "saved.npz", *_state(model))
    model.fit(
        x[mine], y[mine], batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=callbacks
    )
    if dist.is_root():
        np.savez(folder / "continued.npz", *_state(model))


def train_on_in_plain_keras(folder: Path) -> None:
    """Load each file, keep what was loaded, and train on."""
    import keras

    assert sys.modules["ddl"] is None
    assert sys.modules["horovod"] is None
    for name in FORMATS:
        if "weights" in name:
            model = _model(keras, keras.layers.BatchNormalization)
            model.compile(_optimizer(keras), "mse")
            model.optimizer.build(model.trainable_variables)
            model.load_weights(folder / name)
        elif name.endswith(".h5"):
            # Keras 3.15 itself cannot train on from an .h5 file ("Unknown variable"): only its weights are checked.
            weights = keras.models.load_model(folder / name, compile=False).variables
            np.savez(folder / f"{name}.loaded.npz", *[np.asarray(v.numpy()) for v in weights])
            continue
        else:
            model = keras.models.load_model(folder / name)
        assert type(model.optimizer) is keras.optimizers.AdamW, type(model.optimizer)
        assert type(model.optimizer).__module__.startswith("keras."), type(model.optimizer)
        np.savez(folder / f"{name}.loaded.npz", *_state(model))
        # Two ranks took every other sample, in batches of 4: together 8 in a row.
        x, y = _data()
        model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
        np.savez(folder / f"{name}.continued.npz", *_state(model))


def _model(keras: Any, batch_norm: Any) -> Any:
    layers = [keras.Input((5,)), keras.layers.Dense(6, use_bias=False), batch_norm()]
    return keras.Sequential([*layers, keras.layers.Activation("tanh"), keras.layers.Dense(2)])


def _optimizer(keras: Any) -> Any:
    return keras.optimizers.AdamW(0.01, weight_decay=0.02, global_clipnorm=1.0, use_ema=True)


def _data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.normal(size=(16, 5)).astype("float32"), rng.normal(size=(16, 2)).astype("float32")


def _state(model: Any) -> list[np.ndarray]:
    return [np.asarray(v.numpy()) for v in [*model.variables, *model.optimizer.variables]]
