"""Compiled steps: the same numbers to rounding, a decision that outlives a resume, and reasons by name."""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

import ddl.distributed as dist
from ddl.data.inputs_and_targets import ArraySamples
from ddl.data.order import Position
from ddl.training.checkpoint.checkpoint_file import open_checkpoint
from ddl.training.checkpoint.checkpoint_folder import list_checkpoints
from ddl.training.data.training_data import TrainingData
from ddl.training.loop import train
from ddl.training.plan.plan import Plan
from ddl.training.steps import compilation
from ddl.training.steps.compilation import Compilation, Uncompilable, pays
from tests.ranks import call_ranks
from tests.ranks.scripts import run_script
from tests.training.steps.small_steps import make_steps

STEPS = 5


def small_classifier(loss: Any = "mse", norm: Any = None) -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(3, 3, padding="same", activation="relu"),
            norm or layers.BatchNormalization(name="norm"),
            layers.MaxPooling2D(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    optimizer = keras.optimizers.SGD(1e-3, momentum=0.9)
    model.compile(dist.DistributedOptimizer(optimizer), loss, metrics=["mae"], jit_compile=False)
    return model


def trained(jit: str, most: int = 1, **how: Any) -> dict[str, Any]:
    """Train two epochs of five steps, the last with 3 samples a rank; return weights, losses, and how it was done."""
    dist.init()
    model = small_classifier(**how)
    samples = (STEPS - 1) * 4 * dist.size() + 3 * dist.size()
    inputs = np.random.default_rng(0).random((samples, 8, 8, 1), np.float32)
    steps, run = make_steps(model, inputs, inputs.mean((1, 2)), 4, jit=jit)
    losses: list[float] = []
    with steps:
        for epoch in range(2):
            run.position = Position(epoch)
            steps.begin_epoch()
            while run.position.step < STEPS:
                run.advance(steps.take(most).count)
                losses += [float(loss) for part in steps._losses for loss in part.numpy().ravel()]
                steps._losses.clear()
        results = {name: float(value) for name, value in steps.results().items()}
    return {
        "weights": model.get_weights(),
        "losses": losses,
        "results": results,
        "compiled": run.compiled,
        "traced": "_compiled" in vars(steps._compilation),
    }


@functools.cache
def plain() -> dict[str, Any]:
    """Return what the steps learn without XLA."""
    return trained("false")


def check_close(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    np.testing.assert_allclose(ours["losses"], theirs["losses"], rtol=2e-5)
    assert ours["results"] == pytest.approx(theirs["results"], rel=2e-5)
    for own, other in zip(ours["weights"], theirs["weights"], strict=True):
        np.testing.assert_allclose(own, other, rtol=2e-4, atol=2e-6)


@given(st.floats(1e-6, 10), st.integers(0, 10**7), st.floats(0, 100))
def test_a_trial_costs_less_than_it_may_save(step_s: float, left: int, first_s: float) -> None:
    assert not pays(step_s, 0, first_s)
    assert not pays(step_s, left, first_s) or step_s * left > first_s


def test_compiled_steps_learn_the_same_to_rounding_and_in_blocks_the_same_bits() -> None:
    fast, blocks = trained("true"), trained("true", 3)
    assert (plain()["compiled"], plain()["traced"]) == (False, False)
    assert (fast["compiled"], fast["traced"]) == (True, True)
    check_close(fast, plain())
    for own, other in zip(fast["weights"], blocks["weights"], strict=True):
        np.testing.assert_array_equal(own, other)


def test_two_ranks_learn_the_same_compiled() -> None:
    for slow, fast in zip(call_ranks(trained, "false"), call_ranks(trained, "true"), strict=True):
        assert fast["traced"]
        check_close(fast, slow)


def decided(monkeypatch: pytest.MonkeyPatch, plain_s: float, compiled_s: float) -> None:
    """Have the next runs try XLA however short they are, and measure these seconds."""
    monkeypatch.setattr(compilation, "COST", 0.0)
    monkeypatch.setattr(Compilation, "_trial", lambda _: (plain_s, compiled_s))


@pytest.mark.parametrize("compiled_s", [1.0, 3.0])
def test_the_faster_way_is_taken_after_the_first_steps(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, compiled_s: float
) -> None:
    decided(monkeypatch, 2.0, compiled_s)
    with caplog.at_level(logging.INFO, "ddl"):
        found = trained("auto", 3)
    assert found["compiled"] == (compiled_s < 2.0)
    assert "forward and backward pass take" in caplog.text
    check_close(found, plain())


def test_a_short_run_is_not_tried() -> None:
    found = trained("auto")
    assert (found["compiled"], found["traced"]) == (False, False)
    for own, other in zip(found["weights"], plain()["weights"], strict=True):
        np.testing.assert_array_equal(own, other)


def test_a_trial_leaves_no_trace_in_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "COST", 0.0)
    monkeypatch.setattr(compilation, "_LEAST_GAIN", 1e9)  # whatever is measured, nothing changes
    found = trained("auto")
    assert (found["compiled"], found["traced"]) == (False, True)
    for own, other in zip(found["weights"], plain()["weights"], strict=True):
        np.testing.assert_array_equal(own, other)


def by_python(y_true: Any, y_pred: Any) -> Any:
    error = tf.numpy_function(lambda a, b: (a - b) ** 2, (y_true, y_pred), tf.float32)
    return tf.reduce_mean(y_pred) + 0 * tf.reduce_sum(error)


def test_what_xla_cannot_compile_is_named_and_left(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    decided(monkeypatch, 2.0, 1.0)
    with caplog.at_level(logging.INFO, "ddl"):
        found = trained("auto", loss=by_python)
    assert not found["compiled"]
    assert "XLA cannot compile them: it has no PyFunc (jit)." in caplog.text
    with pytest.raises(Uncompilable, match="it has no PyFunc"):
        trained("true", loss=by_python)


def test_a_layer_that_reduces_inside_is_refused_by_name(tmp_path: Path) -> None:
    flags = [
        "--data-option",
        "count=8",
        "--image-size",
        "16",
        "--model-option",
        "width=2",
        "depth=1",
    ]
    run = run_script("scripts/train_unet", ["--run-dir", tmp_path / "run", *flags, "--jit", "true"])
    assert run.returncode == 2
    assert "Received: jit=true, but XLA cannot compile these steps: synchronized" in run.output
    assert not (tmp_path / "run").exists()


def plan(run: Path, **fields: Any) -> Plan:
    how: dict[str, Any] = {"loss": "categorical_crossentropy", "metric": ("top_1",), **fields}
    return Plan(run_dir=run, model="cnn", epochs=3, keep_last=9, tensorboard=False, **how)


def arrays() -> TrainingData:
    random = np.random.default_rng(0)
    samples = ArraySamples(random.random((36, 8, 8, 1), np.float32), random.integers(0, 3, 36))
    return TrainingData(samples, samples, 3)


def final_weights(run: Path) -> dict[str, np.ndarray]:
    snapshot = open_checkpoint(list_checkpoints(run / "checkpoints")[-1][1]).read()
    layers = {path: values for _, layer in snapshot.weights for path, values in layer}
    return layers | dict(snapshot.optimizer)


def test_a_resume_keeps_the_decision_and_the_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    decided(monkeypatch, 2.0, 1.0)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(plan(whole), arrays())
    train(plan(parts), arrays(), callbacks=[StopAfter(2)])
    decided(monkeypatch, 1.0, 2.0)  # a new trial would decide otherwise
    with caplog.at_level(logging.INFO, "ddl"):
        train(plan(parts, resume="auto"), arrays())
    assert "XLA compiles forward and backward pass" in caplog.text
    ours, theirs = final_weights(parts), final_weights(whole)
    for name, values in ours.items():
        np.testing.assert_array_equal(values, theirs[name], err_msg=name)


class StopAfter(keras.callbacks.Callback):
    """Ends a run after this many epochs."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._epochs = epochs

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.stop_training = epoch + 1 == self._epochs
