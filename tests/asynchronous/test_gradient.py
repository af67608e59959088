"""What one worker learns is what plain training learns, and ages of 0 give one process in the log's order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ddl.asynchronous.audit.log import NAME
from ddl.asynchronous.epoch_leases import EpochLeases
from ddl.asynchronous.keras_weights import read_weights, write_weights
from ddl.asynchronous.replica import build_replica
from ddl.training.loop import train
from tests.asynchronous.pretended import PretendedRun, pretended_plan, train_pretended

FIELDS: dict[str, Any] = {
    "augment": {"flip": True, "noise": 0.05},
    "model_option": {"dropout": 0.3, "norm": "batch"},
    "class_weight": "balanced",
    "per_rank_batch_size": 8,  # the last step has 7 samples
}
OPTIMIZERS = ("sgd", "momentum", "adam")
OTHERS = (
    *("adamw", "adamax", "nadam", "rmsprop", "adagrad", "adadelta", "adafactor", "ftrl", "lamb"),
    *("lion", "muon", "schedule_free_adamw", "lars", "torch_sgd", "torch_adam", "torch_rmsprop"),
)


@pytest.mark.parametrize(
    "optimizer", [*OPTIMIZERS, *(pytest.param(name, marks=pytest.mark.proof) for name in OTHERS)]
)
def test_one_worker_learns_what_plain_training_learns(optimizer: str, tmp_path: Path) -> None:
    option = {"momentum": 0.9} if optimizer == "momentum" else {}
    name = "sgd" if optimizer == "momentum" else optimizer
    fields = {**FIELDS, "optimizer": name, "optimizer_option": option}
    alone = train_pretended(pretended_plan(tmp_path / "async", **fields), 1)
    history = train(pretended_plan(tmp_path / "plain", parallel="sync", **fields))
    plain = keras.models.load_model(tmp_path / "plain" / "model.keras").get_weights()
    for own, other in zip(read_weights(alone.replica.model), plain, strict=True):
        np.testing.assert_allclose(own, other, rtol=0, atol=2e-6)
    model = alone.computing
    for variable, total in zip(model.metrics_variables, alone.state.numbers.metrics, strict=True):
        variable.assign(total)
    results = {key: float(value) for key, value in model.get_metrics_result().items()}
    assert results == pytest.approx({key: history[-1][key] for key in results}, rel=1e-5)


def test_max_staleness_0_is_one_process_in_the_logs_order(tmp_path: Path) -> None:
    """Plain gradients of the whole model, one lease after the other, with a plain Keras optimizer."""
    plan = pretended_plan(
        tmp_path / "run", max_staleness=0, epochs=1, optimizer="sgd", warmup_epochs=0.0,
        optimizer_option={"momentum": 0.9}, augment={"flip": True},
    )  # fmt: skip
    run = train_pretended(plan, 3)
    lines = [json.loads(text) for text in (tmp_path / "run" / NAME).read_text().splitlines()[1:]]
    assert all(line["read"] == line["written"] - 1 for line in lines)
    replica = build_replica(plan, run.data, 3)
    model, leases = replica.model, EpochLeases(replica.run.order, 0)
    rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    velocities = [np.zeros(v.shape) for v in model.trainable_variables]
    weights = [np.array(v.numpy(), np.float64) for v in model.trainable_variables]
    for line in lines:
        write_weights(run.computing, [w.astype(np.float32) for w in weights])
        push = run.gradient(leases.lease(line["lease"]))
        for place, gradient in enumerate(push.gradients):
            assert gradient is not None
            velocities[place] = 0.9 * velocities[place] - rate * line["weight"] * gradient
            weights[place] += velocities[place]
    for own, other in zip(read_weights(run.replica.model), weights, strict=True):
        np.testing.assert_allclose(own, other, rtol=0, atol=2e-6)


def test_a_layer_whose_state_no_push_carries_is_refused(tmp_path: Path) -> None:
    run = PretendedRun(
        pretended_plan(tmp_path / "run", model_option={"norm": "sync"}, parallel="sync"), 2
    )
    run.start()
    with pytest.raises(ValueError, match=r"a layer that changes .*moving_mean in training"):
        run.epoch(0)
    run.log.close()


@pytest.mark.parametrize("compression", ["fp16", "bf16"])
def test_a_push_has_the_dtype_of_the_plans_compression(compression: str, tmp_path: Path) -> None:
    run = PretendedRun(pretended_plan(tmp_path / "run", compression=compression), 2).start()
    run.state.open_epoch(0)
    lease = run.state.next("a", 0.0)
    assert lease is not None
    push = run.gradient(lease)
    assert {part.dtype.itemsize for part in push.gradients if part is not None} == {2}
    assert run.state.push("a", lease.number, 0, push, 0.0).state == "applied"
    run.log.close()


def test_a_lease_gives_the_same_bits_whenever_it_is_computed(tmp_path: Path) -> None:
    run = PretendedRun(pretended_plan(tmp_path / "run", **FIELDS), 2)
    leases = EpochLeases(run.replica.run.order, 1)
    arrays = read_weights(run.replica.model)
    pushes = []
    for number in (leases.first + 3, leases.first, leases.first + 3):
        write_weights(run.computing, arrays)
        pushes.append(run.gradient(leases.lease(number)))
    for first, other, again in zip(*(push.gradients for push in pushes), strict=True):
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(np.asarray(first), np.asarray(other))
