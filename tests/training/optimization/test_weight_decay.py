"""Biases and normalization layers may go without weight decay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ddl.data.order import SampleOrder
from ddl.training.build import compile_model
from ddl.training.optimization.weight_decay import has_weight_decay, without_decay
from ddl.training.plan.plan import Plan
from ddl.training.run import Run


def small_model() -> keras.Model:
    inputs = keras.Input((4, 4, 2))
    hidden = keras.layers.Conv2D(3, 3, name="body")(inputs)
    hidden = keras.layers.BatchNormalization(name="body_norm")(hidden)
    return keras.Model(inputs, keras.layers.Conv2D(1, 1, activation="sigmoid", name="head")(hidden))


@pytest.mark.parametrize(
    ("patterns", "paths"),
    [
        (["bias"], ["body/bias", "head/bias"]),
        (["norm"], ["body_norm/gamma", "body_norm/beta"]),
        (["head/*", "bias"], ["head/kernel", "head/bias", "body/bias"]),
    ],
)
def test_groups_and_patterns_choose_weights(patterns: list[str], paths: list[str]) -> None:
    chosen = without_decay(small_model().trainable_variables, patterns)
    assert [weight.path for weight in chosen] == paths


def test_the_name_of_a_sequential_model_need_not_be_given() -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="head")], name="net")
    chosen = without_decay(model.trainable_variables, ["head/*"])
    assert [weight.path for weight in chosen] == ["net/head/kernel", "net/head/bias"]


def test_a_pattern_that_means_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no_decay_on='tail/\*'.* such as body/kernel"):
        without_decay(small_model().trainable_variables, ["tail/*"])


def test_a_plan_spares_its_weights(tmp_path: Path) -> None:
    """Without a gradient, a step of a rate of 0.5 and a decay of 0.5 takes a quarter of what decays."""
    plan = Plan(
        run_dir=tmp_path, optimizer="sgd", optimizer_option={"weight_decay": 0.5},
        no_decay_on=("bias", "norm"), learning_rate=0.5, warmup_epochs=0,
    )  # fmt: skip
    model: Any = small_model()
    for weight in model.trainable_variables:
        weight.assign(np.ones(weight.shape))
    order = SampleOrder("global", 8, 8, 1, 0)
    compile_model(model, Run(plan, order, 8, "", None))  # type: ignore[arg-type]
    weights = model.trainable_variables
    model.optimizer.apply([keras.ops.zeros(weight.shape) for weight in weights], weights)
    left = {weight.path: float(weight.numpy().ravel()[0]) for weight in weights}
    kernels = {path: value for path, value in left.items() if path.endswith("kernel")}
    assert set(kernels.values()) == {0.75}
    assert {value for path, value in left.items() if path not in kernels} == {1.0}


def test_a_plan_without_decay_has_nothing_to_spare(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no_decay_on=\('bias',\) with optimizer='adam' without"):
        Plan(run_dir=tmp_path, no_decay_on=("bias",))
    assert not has_weight_decay("adamw", {"weight_decay": 0.0})
    assert has_weight_decay("adamw", {})
    assert has_weight_decay("sgd", {"weight_decay": 1e-4})
