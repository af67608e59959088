"""Which layers a probe reports, and what it sees of them: compared with a pass by hand in plain Keras."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import ddl.distributed as dist
from ddl.training.probing.layers import check_probed, collecting, probed_layers
from ddl.training.probing.measurement import Measurement


def nested() -> keras.Model:
    """Return a model with a model inside, a layer that is called twice, and a frozen one."""
    part = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(4, activation="relu", name="a")], name="part"
    )
    shared = keras.layers.Dense(4, name="shared")
    inputs = keras.Input((4,))
    x = shared(shared(part(inputs)))
    frozen = keras.layers.Dense(3, name="frozen")
    model = keras.Model(inputs, keras.layers.Dense(1, name="out")(frozen(x)))
    frozen.trainable = False
    return model  # fmt: skip


def test_layers_inside_models_have_their_names() -> None:
    found = probed_layers(nested())
    assert [layer.name for layer in found] == ["part/a", "shared", "frozen", "out"]
    assert [layer.cuts for layer in found] == [True, False, False, False]
    assert [len(layer.variables) for layer in found] == [2, 2, 0, 2]


def test_each_call_of_a_layer_is_collected_and_nothing_stays() -> None:
    model = nested()
    layers = probed_layers(model)
    with collecting(layers) as outputs:
        model(np.ones((2, 4), np.float32))
    assert [len(outputs.of[id(layer.layer)]) for layer in layers] == [1, 2, 1, 1]
    assert not any("call" in layer.layer.__dict__ for layer in layers)


@pytest.mark.parametrize(
    ("layer", "cuts"),
    [
        (keras.layers.ReLU(), True),
        (keras.layers.ReLU(6.0), True),
        (keras.layers.ReLU(negative_slope=0.1), False),
        (keras.layers.LeakyReLU(), False),
        (keras.layers.Activation("relu"), True),
        (keras.layers.Activation("tanh"), False),
        (keras.layers.Dense(2, activation="gelu"), False),
    ],
    ids=str,
)
def test_units_can_die_where_negative_numbers_become_0(layer: Any, cuts: bool) -> None:
    model = keras.Sequential([keras.Input((2,)), layer, keras.layers.Dense(1)])
    found = {id(probed.layer): probed.cuts for probed in probed_layers(model)}
    assert found.get(id(layer), False) is cuts


def test_the_numbers_are_those_of_a_pass_by_hand() -> None:
    keras.utils.set_random_seed(5)
    model = nested()
    model.compile(dist.DistributedOptimizer("sgd"), "mse")
    x = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    y = x.sum(-1, keepdims=True)
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(3, drop_remainder=True)
    measurement = Measurement(model, batches.element_spec)
    before = measurement.weights()
    facts = {layer["name"]: layer for layer in measurement.take(iter(batches), 2)}

    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x) - y) ** 2)
    gradients = tape.gradient(loss, model.get_layer("shared").trainable_weights)
    norm = math.sqrt(sum(float(tf.reduce_sum(g**2)) for g in gradients))
    assert facts["shared"]["gradient_norm"] == pytest.approx(norm, rel=1e-5)
    assert facts["frozen"]["gradient_norm"] is None
    kernel = model.get_layer("frozen").kernel.numpy()
    assert facts["frozen"]["weight_norm"] == pytest.approx(np.linalg.norm(kernel), rel=1e-6)
    out = model(x).numpy()
    assert facts["out"]["activation_mean"] == pytest.approx(out.mean(), rel=1e-4)
    assert facts["out"]["activation_std"] == pytest.approx(out.std(), rel=1e-4)
    inner = model.get_layer("part")(x).numpy()
    assert facts["part/a"]["dead_share"] == (inner == 0).all(0).mean()
    assert measurement.updates(before) == [0.0] * 6


def test_a_model_with_steps_of_its_own_is_refused() -> None:
    class Own(keras.Model):
        def train_step(self, data: Any) -> Any:
            return super().train_step(data)

    inputs = keras.Input((2,))
    model = Own(inputs, keras.layers.Dense(1)(inputs))
    check_probed(model, 0)
    with pytest.raises(
        ValueError, match=r"probe=8 for a model with a train_step of its own \(Own\)"
    ):
        check_probed(model, 8)
