"""Trained on random crops, a classifier sees the same middle of a picture in validation, evaluation and prediction."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.scripts.in_process import call

SIDE, COUNT = 20, 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with labelled pictures, as an array and as files, and a classifier trained on crops of 16x16."""
    path = tmp_path_factory.mktemp("crops")
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (COUNT, SIDE, SIDE, 3)).astype(np.uint8)
    labels = np.arange(COUNT) % 3
    np.savez(path / "data.npz", images=pictures, labels=labels)
    (path / "pictures").mkdir()
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(path / "pictures" / f"{number:02d}.png")
    flags = [
        *("--data", "data.npz", "--model", "cnn", "--epochs", "1", "--validation-part", "0.4"),
        *("--augment", "resized_crop=true", "crop_size=16", "central_crop=0.8"),
        *("--run-dir", "run", "--tensorboard", "false"),
    ]
    outcome = call("train_resnet", *flags, folder=path)
    assert outcome.status == 0, outcome.told
    return path


def test_the_model_has_the_size_of_the_crop_and_says_which_part_it_takes(folder: Path) -> None:
    import keras

    model = keras.models.load_model(folder / "run/model.keras", compile=False)
    assert model.input_shape == (None, 16, 16, 3)
    how = json.loads((folder / "run/preprocessing.json").read_text())
    assert (how["image_size"], how["central_crop"]) == ([SIDE, SIDE], 0.8)


def test_evaluation_is_the_validation_of_the_training(folder: Path) -> None:
    outcome = call("evaluate", "run", "--output", "result.json", folder=folder)
    assert outcome.status == 0, outcome.told
    result = json.loads((folder / "result.json").read_text())
    last = json.loads((folder / "run/history.jsonl").read_text().splitlines()[-1])
    assert result["loss"] == pytest.approx(last["val_loss"], rel=1e-5)


def test_files_are_predicted_from_their_middle(folder: Path) -> None:
    import keras

    outcome = call("predict", "run", "pictures", "out", folder=folder)
    assert outcome.status == 0, outcome.told
    rows = [*csv.DictReader((folder / "out/predictions.csv").read_text().splitlines())]
    model = keras.models.load_model(folder / "run/model.keras", compile=False)
    pictures = np.load(folder / "data.npz")["images"][:, 2:18, 2:18].astype(np.float32) / 255
    expected = model(pictures).numpy().argmax(-1)
    assert [int(row["label"]) for row in rows] == expected.tolist()
