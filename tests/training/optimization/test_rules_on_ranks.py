"""PyTorch's rules on two ranks: the weights of one process, also with clipping, accumulation and a loss scale."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

import ddl.distributed as dist
from ddl.training.optimization.optimizers import OPTIMIZERS, build_optimizer
from tests.ranks import call_ranks

RULES = [name for name in OPTIMIZERS if name == "lars" or name.startswith("torch")]
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "clipped": {"clipnorm": 0.3},
    "accumulated": {"gradient_accumulation_steps": 2, "use_ema": True},
    "scaled": {},
}
STEPS = 4


# Runs on every rank, and in the process of the test.
def train_all() -> dict[str, np.ndarray]:
    """Return the weights after some steps on this rank's half of each batch, by rule and way."""
    random = np.random.default_rng(0)
    inputs, targets = random.normal(size=(STEPS, 8, 3)), random.normal(size=(STEPS, 8, 2))
    share = 8 // dist.size()
    own = slice(dist.rank() * share, (dist.rank() + 1) * share)
    start = random.normal(size=(3, 2))
    results = {}
    for name in RULES:
        for way, options in WAYS.items():
            weights = [
                keras.Variable(start, dtype="float64"),
                keras.Variable(np.zeros(2), dtype="float64"),
            ]
            optimizer: Any = build_optimizer(name, 0.125, weight_decay=0.25, **options)
            if way == "scaled":
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=8.0)
            optimizer = dist.DistributedOptimizer(optimizer)
            optimizer.build(weights)
            for x, y in zip(inputs[:, own], targets[:, own], strict=True):
                with tf.GradientTape() as tape:
                    error = tf.constant(x) @ tf.convert_to_tensor(weights[0]) + weights[1] - y
                    loss = optimizer.scale_loss(tf.reduce_mean(error**2))
                slopes = tape.gradient(loss, [weight.value for weight in weights])
                optimizer.apply(slopes, weights)
            results[f"{name} {way}"] = np.concatenate([np.ravel(w.numpy()) for w in weights])
    return results


def test_two_ranks_take_the_steps_of_one_process() -> None:
    dist.init()
    two, one = call_ranks(train_all, ranks=2), train_all()
    # A loss scale cancels out.
    assert len({tuple(values.round(6)) for values in one.values()}) == 3 * len(RULES)
    for of_rank in two:
        for name, values in one.items():
            np.testing.assert_allclose(of_rank[name], values, rtol=1e-10, atol=1e-12, err_msg=name)
