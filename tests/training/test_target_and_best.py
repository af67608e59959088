"""Runs that end at a target, validate every few epochs, average their weights, and restore the best of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import ddl.distributed as dist
from ddl.training.evaluation import Evaluation, evaluate, open_subject
from ddl.training.loop import train
from ddl.training.plan.plan import Plan
from ddl.training.run import Epoch
from tests.ranks import call_ranks
from tests.training.record.mlperf_grammar import check


class FinalWeights(keras.callbacks.Callback):
    """Keeps the weights that the model has at the end."""

    weights: list[np.ndarray]

    def on_train_end(self, logs: Any = None) -> None:
        self.weights = self.model.get_weights()


def plan(folder: Path, **fields: Any) -> Plan:
    """Return 40 samples to train on in 10 steps of 4, on any number of ranks."""
    small = {"data_option": {"count": 50}, "image_size": (16, 16), "validation_part": 0.2}
    network = {"model_option": {"width": 2, "depth": 1}, "per_rank_batch_size": 4 // dist.size()}
    rest = {"learning_rate_scaling": "none", "tensorboard": False, "keep_last": 9, "epochs": 4}
    return Plan(run_dir=folder, **small, **network, **rest | fields)


def weights_of(path: Path) -> list[np.ndarray]:
    weights: list[np.ndarray] = keras.models.load_model(path, compile=False).get_weights()
    return weights


def are_equal(one: list[np.ndarray], two: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.fixture(scope="module")
def averaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Epoch]]:
    """Return a run of averaged weights that validates every second epoch, and its history."""
    folder = tmp_path_factory.mktemp("averaged")
    ema = {"use_ema": True, "ema_momentum": 0.8}
    log = {"mlperf_log": folder / "mlperf.log", "validate_every_epochs": 2}
    return folder, train(plan(folder, optimizer_option=ema, **log))


Averaged = tuple[Path, list[Epoch]]


def test_epochs_between_validations_have_no_value(averaged: Averaged) -> None:
    folder, history = averaged
    assert ["val_loss" in epoch for epoch in history] == [False, True, False, True]
    header, *rows = (folder / "history.csv").read_text().splitlines()
    assert header == "epoch,seconds,samples_per_s,learning_rate,dice,loss,val_dice,val_loss"
    assert [row.endswith(",,") for row in rows] == [True, False, True, False]
    assert (folder / "curves.png").exists()


def test_the_final_model_is_what_was_validated(averaged: Averaged) -> None:
    folder, history = averaged
    evaluation = Evaluation(folder, per_rank_batch_size=4)
    found = evaluate(evaluation, open_subject(evaluation))
    assert found["loss"] == pytest.approx(history[-1]["val_loss"], rel=1e-5)


def test_a_checkpoint_holds_the_average_for_plain_keras(averaged: Averaged) -> None:
    folder, _ = averaged
    final = weights_of(folder / "model.keras")
    assert are_equal(weights_of(folder / "checkpoints" / "epoch-0004.h5"), final)
    assert not are_equal(weights_of(folder / "checkpoints" / "epoch-0003.h5"), final)


def test_mlperfs_log_of_a_run_follows_the_grammar(averaged: Averaged) -> None:
    folder, history = averaged
    events = check((folder / "mlperf.log").read_text())
    values = [event["value"] for event in events if event["key"] == "eval_accuracy"]
    assert values == [history[1]["val_loss"], history[3]["val_loss"]]


def test_averaged_weights_resume_with_the_same_bits(averaged: Averaged, tmp_path: Path) -> None:
    folder, history = averaged
    ema = {"use_ema": True, "ema_momentum": 0.8}
    start = folder / "checkpoints" / "epoch-0002.h5"
    again = plan(tmp_path, optimizer_option=ema, validate_every_epochs=2, resume=str(start))
    resumed = train(again)
    assert [epoch["loss"] for epoch in resumed] == [epoch["loss"] for epoch in history]
    assert resumed[-1]["val_loss"] == history[-1]["val_loss"]
    assert are_equal(weights_of(tmp_path / "model.keras"), weights_of(folder / "model.keras"))


def report_of(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


def test_a_target_ends_the_run_in_its_epoch_also_after_a_resume(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    target = f"loss={train(plan(tmp_path / 'all', epochs=2))[1]['loss']!r}"
    history = train(plan(whole, target=target))
    assert len(history) == 2
    assert "Training ends early: the target" in (whole / "log.txt").read_text()
    train(plan(cut, epochs=1))
    resumed = train(plan(cut, target=target, resume="auto"))
    assert are_equal(weights_of(cut / "model.keras"), weights_of(whole / "model.keras"))
    for folder, epochs in ((whole, history), (cut, resumed)):
        report = report_of(folder)
        assert report["target_epoch"] == report["epochs"] == 2
        seconds = sum(epoch["seconds"] for epoch in epochs)
        assert report["time_to_target_s"] == pytest.approx(seconds, abs=1e-3)
        assert "was reached in epoch 2" in (folder / "log.txt").read_text()
    assert len(train(plan(cut, target=target, resume="auto"))) == 2  # it is complete


def test_the_best_weights_are_the_final_model(tmp_path: Path) -> None:
    worst_is_best = {"monitor": "loss", "monitor_mode": "max", "restore_best": True}
    best = plan(tmp_path, epochs=2, learning_rate=0.01, resume="auto", **worst_is_best)
    history = train(best)
    assert history[0]["loss"] > history[1]["loss"]
    first = weights_of(tmp_path / "checkpoints" / "epoch-0001.h5")
    assert are_equal(weights_of(tmp_path / "model.keras"), first)
    assert (
        "The final model is that of epoch 1, the best by loss."
        in (tmp_path / "log.txt").read_text()
    )
    (tmp_path / "model.keras").unlink()
    train(best)
    assert are_equal(weights_of(tmp_path / "model.keras"), first)


def end_of_a_rank(folder: str) -> tuple[int, list[np.ndarray], list[float]]:
    """Train until a target that the first epoch reaches; return epochs, final weights, and losses."""
    final = FinalWeights()
    best = {"monitor": "loss", "monitor_mode": "max", "restore_best": True}
    # The mode of the monitored quantity is that of the target, too: a high loss reaches it.
    own = plan(Path(folder, "run"), target="loss=0.01", learning_rate=0.01, **best)
    history = train(own, callbacks=[final])
    return len(history), final.weights, [epoch["loss"] for epoch in history]


def test_all_ranks_end_in_the_same_epoch_with_the_same_weights(tmp_path: Path) -> None:
    first, second = call_ranks(end_of_a_rank, str(tmp_path))
    assert first[0] == second[0] == 1
    assert first[2] == second[2]
    assert are_equal(first[1], second[1])
    stored = weights_of(tmp_path / "run" / "checkpoints" / "epoch-0001.h5")
    assert are_equal(first[1], stored)
    assert len(report_of(tmp_path / "run")["peak_memory_mb"]) == 2
