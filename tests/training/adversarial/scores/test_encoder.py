"""Encoders of scores: which layer's output is taken, what pictures become before, and random weights that stay."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from ddl.training.adversarial.scores.encoder import (
    RANDOM,
    random_encoder,
    score_encoder,
    trained_encoder,
)
from tests.inference.models import make_run

PICTURES = np.random.default_rng(0).random((4, 16, 16, 1)).astype(np.float32)


def classifier(
    folder: Path, *, channels: int = 1, sides: tuple[int | None, ...] = (16, 16)
) -> Path:
    """Write a small classifier whose features are the 5 inputs of its last dense layer."""
    inputs = keras.Input((*sides, channels))
    x = keras.layers.Conv2D(5, 3, name="last_maps")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="pooled")(x)
    x = keras.layers.Activation("softmax")(keras.layers.Dense(3)(x))
    path = folder / "classifier.keras"
    keras.Model(inputs, x).save(path)
    return path


def test_features_are_the_input_of_the_last_dense_layer(tmp_path: Path) -> None:
    path = classifier(tmp_path)
    model = keras.models.load_model(path)
    pooled = keras.Model(model.input, model.get_layer("pooled").output)
    encode = trained_encoder(path, (16, 16, 1))
    assert (encode.name, encode.features) == ("classifier.keras", 5)
    assert encode(PICTURES) == pytest.approx(np.asarray(pooled(PICTURES)), abs=1e-6)


def test_maps_at_the_end_are_averaged(tmp_path: Path) -> None:
    model = keras.models.load_model(classifier(tmp_path))
    maps = keras.Model(model.input, model.get_layer("last_maps").output)
    maps.save(tmp_path / "maps.keras")
    found = trained_encoder(tmp_path / "maps.keras", (16, 16, 1))(PICTURES)
    assert found == pytest.approx(np.asarray(maps(PICTURES)).mean(axis=(1, 2)), abs=1e-6)


def test_pictures_get_the_sides_and_channels_of_the_network(tmp_path: Path) -> None:
    encode = trained_encoder(classifier(tmp_path, channels=3, sides=(32, 24)), (16, 16, 1))
    assert encode(PICTURES).shape == (4, 5)


def test_coloured_pictures_become_grey_for_a_grey_network(tmp_path: Path) -> None:
    path = classifier(tmp_path)
    coloured = np.repeat(PICTURES, 3, axis=-1)
    expected = trained_encoder(path, (16, 16, 1))(PICTURES)
    assert trained_encoder(path, (16, 16, 3))(coloured) == pytest.approx(expected, abs=1e-6)


def test_a_network_of_no_pictures_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lines.keras"
    keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)]).save(path)
    with pytest.raises(ValueError, match="takes pictures"):
        trained_encoder(path, (16, 16, 1))


def test_without_a_file_weights_are_random_and_the_same_in_every_run() -> None:
    first, second = score_encoder(None, (16, 16, 1)), score_encoder(None, (16, 16, 1))
    assert first.name == RANDOM == "random features"
    assert (first(PICTURES) == second(PICTURES)).all()
    assert first(PICTURES).shape == (4, first.features)


@pytest.mark.parametrize("shape", [(8, 8, 1), (5, 7, 3), (32, 32, 3), (1, 1, 1)])
def test_random_features_are_finite_for_pictures_of_any_sides(shape: tuple[int, ...]) -> None:
    features = random_encoder(shape)(np.random.default_rng(1).random((3, *shape), np.float32))
    assert np.isfinite(features).all()
    assert np.ptp(features, axis=0).max() > 0


def test_random_features_tell_pictures_from_noise() -> None:
    from ddl.training.adversarial.scores.kernel_distance import kernel_distance

    random, encode = np.random.default_rng(2), random_encoder((8, 8, 1))
    ramps = np.linspace(0, 1, 8)[:, None, None] * random.random((240, 1, 8, 1))
    noise = random.random((120, 8, 8, 1))
    alike = kernel_distance(encode(ramps[:120]), encode(ramps[120:])).mean
    unlike = kernel_distance(encode(ramps[:120]), encode(noise)).mean
    assert unlike > 20 * abs(alike)


def test_a_trained_run_encodes_with_its_own_preprocessing(tmp_path: Path) -> None:
    run_dir = make_run(tmp_path / "run", shape=(16, 16, 1))
    preprocessing = run_dir / "preprocessing.json"
    values = json.loads(preprocessing.read_text())
    preprocessing.write_text(json.dumps({**values, "mean": [0.5], "deviation": [0.25]}))
    alone = tmp_path / "alone.keras"
    shutil.copy(run_dir / "model.keras", alone)  # without what the run knows
    expected = trained_encoder(alone, (16, 16, 1))((PICTURES - 0.5) / 0.25)
    assert score_encoder(run_dir, (16, 16, 1))(PICTURES) == pytest.approx(expected, abs=1e-5)
