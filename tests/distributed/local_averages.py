"""What test_local_steps.py has ranks compute: one average of changes that differ between ranks."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

import ddl.distributed as dist
from ddl.distributed.gradients import traffic
from ddl.distributed.local_steps import Outer, attach_outer, local_optimizer

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def model(norm: bool | None = None) -> keras.Model:
    layers: list[Any] = [keras.Input((4,)), keras.layers.Dense(1, name="dense")]
    if norm is not None:
        layers.insert(1, keras.layers.BatchNormalization(synchronized=norm, name="norm"))
    built = keras.Sequential(layers)
    built.compile(local_optimizer(keras.optimizers.SGD(0.1)), "mse")
    return built


def refusals() -> dict[str, str]:
    """Return the text of each refusal on this rank."""
    found = {}
    for name, norm in {"nobody averages": None, "norm over ranks": True}.items():
        tried = model(norm)
        if norm:
            attach_outer(tried, Outer())
        try:
            tried.fit(X, Y, verbose=0)
        except ValueError as error:
            found[name] = str(error)
    return found


def averages(scale: float) -> dict[str, Any]:
    """Return the weights after averages of changes of about this size, and what was sent.

    Rank r adds `scale * (r + 1)` to each weight, and had r samples: the first rank had none.
    """
    found: dict[str, Any] = {}
    cases = {
        "none": Outer(),
        "fp16": Outer(compression="fp16"),
        "bf16": Outer(compression="bf16"),
        "nesterov": Outer("nesterov", learning_rate=0.5, momentum=0.8),
    }
    for name, outer in cases.items():
        built = model()
        built.set_weights([np.ones((4, 1)), np.ones(1)])
        steps = attach_outer(built, outer)
        before = traffic.sent_bytes()
        for _ in range(2):
            steps.keep()
            for weight in built.trainable_variables:
                weight.assign_add(tf.ones_like(weight.value) * scale * (dist.rank() + 1))
            steps.average(dist.rank(), sum(range(dist.size())))
        found[name] = np.concatenate([np.ravel(w) for w in built.get_weights()]) - 1.0
        found[f"{name} bytes"] = traffic.sent_bytes() - before
    return found
