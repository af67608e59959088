"""A model trained at one size predicts at other sizes, and at its own size exactly as before."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from ddl.inference.backends.keras_backend import KerasPredictor, with_open_sides
from ddl.inference.backends.predictor import check_backend, open_predictor
from ddl.inference.tiles.flips import Flipped
from ddl.inference.tiles.tiling import plan_axis, predict_tiles
from ddl.inference.trained_model import read_form
from ddl.models.zoo import build_model

MODELS = [
    ("unet", (16, 32, 3), {"width": 4, "depth": 2, "norm": "sync", "deep_supervision": True}),
    ("unet", (16, 32, 3), {"width": 4, "depth": 2, "transposed": False, "attention": True}),
    ("unet", (8, 8, 16, 1), {"width": 4, "depth": 2, "norm": "group"}),
    ("resnet20", (32, 32, 3), {}),
]


@pytest.mark.parametrize(("name", "shape", "options"), MODELS)
def test_open_sides_do_not_change_predictions(tmp_path: Path, name: str, shape, options) -> None:
    keras.utils.set_random_seed(1)
    model = build_model(name, shape, 3, **options)
    model.save(tmp_path / "model.keras")
    assert read_form(tmp_path / "model.keras") == (shape, 3)
    predictor = open_predictor(tmp_path / "model.keras")
    assert predictor.input_shape == (*[None] * (len(shape) - 1), shape[-1])
    assert predictor.classes == 3
    batch = np.random.default_rng(0).random((2, *shape), np.float32)
    found = model(batch, training=False)
    expected = (found["mask"] if isinstance(found, dict) else found).numpy()
    assert np.abs(predictor.predict(batch) - expected).max() <= 1e-6
    larger = np.zeros((1, *(2 * side for side in shape[:-1]), shape[-1]), np.float32)
    assert predictor.predict(larger).shape[-1] == 3
    predictor.close()


def test_a_model_of_fixed_size_keeps_it() -> None:
    inputs = keras.Input((8, 8, 1))
    flat = keras.layers.Flatten()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(flat))
    assert with_open_sides(model) is model
    assert KerasPredictor(model).input_shape == (8, 8, 1)


def test_tiles_with_enough_overlap_equal_the_whole_picture() -> None:
    keras.utils.set_random_seed(0)
    model = build_model("unet", (64, 64, 3), 1, width=4, depth=2, norm="none")
    for weight in model.weights:
        if "bias" in weight.path:
            weight.assign(np.random.default_rng(1).normal(0, 0.1, weight.shape))
    predictor = KerasPredictor(model)
    picture = np.random.default_rng(0).random((246, 200, 3), np.float32)
    results = []
    for tile, overlap in ((128, 72), (64, 8), (None, 0)):
        axes = [plan_axis(n, tile=tile, overlap=overlap, multiple=4) for n in (246, 200)]
        bands = predict_tiles(picture, axes, predictor.predict, lambda pixels: pixels, 3)
        results.append(np.concatenate([band for _, band in bands]))
    whole = results[-1]
    assert whole.std() > 0.01  # not constant, so that the comparison means something
    assert np.abs(results[0] - whole).max() < 1e-6
    assert np.abs(results[1] - whole).max() > 1e-4  # too little overlap makes a difference


def test_flips_average_over_mirror_images() -> None:
    class Ramp:
        input_shape, classes = (None, None, 1), 1

        def predict(self, batch: np.ndarray) -> np.ndarray:
            return batch * np.arange(batch.shape[2], dtype=np.float32)[:, None]

        def close(self) -> None:
            pass

    found = Flipped(Ramp(), finds_masks=True).predict(np.ones((1, 2, 5, 1), np.float32))
    np.testing.assert_array_equal(found, np.full((1, 2, 5, 1), 2, np.float32))


@pytest.mark.parametrize(
    ("path", "backend", "words"),
    [
        ("a.keras", "torch", "Received: backend='torch'. Expected one of: auto, keras"),
        ("a.txt", "auto", "Expected: a model file that ends in .keras"),
    ],
)
def test_unknown_backends_and_files_are_refused(path: str, backend: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_backend(Path(path), backend)
