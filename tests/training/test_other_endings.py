"""A network that ends in log_softmax: its run, evaluation and predictions are of probabilities, and it resumes."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import ddl.distributed as dist
from ddl.models.zoo import MODELS, add_model
from ddl.training.loop import train
from ddl.training.plan.plan import Plan
from tests.scripts.in_process import call

NAME = "tiny_with_ending"


def build(
    input_shape: tuple[int, ...], *, classes: int, ending: str = "log_softmax"
) -> keras.Model:
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(4, 3, activation="relu", name="body")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(classes, activation=ending, name="head")(x))


def plan(folder: Path, epochs: int, **fields: object) -> Plan:
    given = {
        "data_option": {"count": 24, "classes": 3},
        "model": NAME,
        "loss": "nll",
        "loss_option": {"weight": (1.0, 2.0, 0.5)},
        "optimizer": "torch_rmsprop",
        "optimizer_option": {
            "momentum": 0.9,
            "centered": True,
            "weight_decay": 0.1,
            "use_ema": True,
        },
        "schedule": "exponential",
        "schedule_option": {"factor": 0.5, "staircase": True},
        **fields,
    }
    return Plan(
        run_dir=folder, data="synthetic-labels", image_size=(12, 12), metric=("top_1",),
        epochs=epochs, learning_rate=0.01, warmup_epochs=0, tensorboard=False, **given,
    )  # fmt: skip


def read_lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of two epochs, the second of which resumed."""
    if NAME not in MODELS:
        add_model(NAME, build, "label")
    dist.init()
    folder = tmp_path_factory.mktemp("endings") / "run"
    train(plan(folder, 1))
    train(plan(folder, 2, resume="auto"))
    return folder


def test_a_resumed_run_has_the_bits_of_one_that_was_not_stopped(run: Path, tmp_path: Path) -> None:
    train(plan(tmp_path / "whole", 2))
    models = [keras.models.load_model(path / "model.keras") for path in (run, tmp_path / "whole")]
    for mine, theirs in zip(*(model.get_weights() for model in models), strict=True):
        assert (mine == theirs).all()
    rates = [json.loads(line)["learning_rate"] for line in read_lines(run / "history.jsonl")]
    assert rates == pytest.approx([0.005, 0.0025])  # after the last step of each epoch


def test_the_run_knows_what_makes_probabilities(run: Path) -> None:
    assert json.loads((run / "preprocessing.json").read_text())["activation"] == "exp"
    with zipfile.ZipFile(run / "model.keras") as archive:  # loads without ddl
        assert b"ddl" not in archive.read("config.json")


def test_an_evaluation_gives_the_values_of_the_run(run: Path, tmp_path: Path) -> None:
    last = json.loads(read_lines(run / "history.jsonl")[-1])
    for flags in ([], ["--per-picture", tmp_path / "pictures.csv"]):
        outcome = call("evaluate", run, *flags)
        assert outcome.status == 0, outcome.told
        values = json.loads(outcome.printed)
        assert values["loss"] == pytest.approx(last["val_loss"], rel=1e-5)
        assert values["top_1"] == pytest.approx(last["val_top_1"])
    rows = [*csv.DictReader(read_lines(tmp_path / "pictures.csv"))]
    assert all(0 < float(row["p_true"]) < 1 for row in rows)


def test_predictions_are_probabilities(run: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (12, 12, 3), np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(pixels).save(tmp_path / "in" / "a.png")
    outcome = call("predict", run, tmp_path / "in", tmp_path / "out")
    assert outcome.status == 0, outcome.told
    [row] = [*csv.reader(read_lines(tmp_path / "out" / "predictions.csv"))][1:]
    outputs = keras.models.load_model(run / "model.keras")(np.float32(pixels[None] / 255))
    expected = np.exp(np.asarray(outputs)[0])
    np.testing.assert_allclose([float(cell) for cell in row[-3:]], expected, rtol=1e-4)


def test_a_contradiction_ends_before_anything_is_written(run: Path, tmp_path: Path) -> None:
    wrong = plan(tmp_path / "wrong", 1, loss_option={"source": "softmax"})
    with pytest.raises(
        ValueError, match=r"for a network that ends in log_softmax. Expected: source"
    ):
        train(wrong)
    with pytest.raises(ValueError, match="2 weights in loss_option weight for 3 classes"):
        train(plan(tmp_path / "wrong", 1, loss_option={"weight": (1, 2)}))
    assert not (tmp_path / "wrong").exists()
    with pytest.raises(ValueError, match=r"class_weight=balanced with loss_option weight"):
        plan(tmp_path / "wrong", 1, class_weight="balanced")


@pytest.mark.proof
def test_an_export_keeps_the_network_s_output_and_says_what_makes_probabilities(
    run: Path, tmp_path: Path
) -> None:
    file = tmp_path / "cells.savedmodel"
    outcome = call("export", run, file)
    assert outcome.status == 0, outcome.told
    how = json.loads((tmp_path / "cells.preprocessing.json").read_text())
    assert how["activation"] == "exp"
    values = [
        json.loads(call("evaluate", run, *flags).printed) for flags in ([], ["--exported", file])
    ]
    assert values[1]["loss"] == pytest.approx(values[0]["loss"], rel=1e-4)
