"""predict.py and evaluate.py with a model whose targets are values, and whose inputs go through transforms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.data import make
from tests.inference.models import make_run
from tests.scripts.in_process import call

PLAN: dict[str, Any] = {
    "targets": "values",
    "loss": "binary_crossentropy",
    "metric": ("mae",),
    "validation_part": 0,
    "transform": ("resize=16x16", "random_horizontal_flip=0.5"),
    "input_transform": ("normalize=0.5,0.25",),
    "model_option": {"width": 4, "depth": 2, "norm": "none", "output": "sigmoid"},
}
HOW: dict[str, Any] = {
    "transforms": ("resize=16x16", "normalize=0.5,0.25"),
    "image_size": (16, 16),
    "resampling": "bilinear",
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make.pictures(tmp_path_factory.mktemp("pictures") / "in", count=3)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Path:
    paths = {"data": str(pictures), "target_data": str(pictures)}
    folder = tmp_path_factory.mktemp("runs") / "values"
    return make_run(folder, shape=(16, 16, 3), classes=3, preprocessing=HOW, **PLAN, **paths)


def test_values_are_written_at_the_pictures_size(
    tmp_path: Path, run_dir: Path, pictures: Path
) -> None:
    outcome = call("predict", run_dir, pictures, tmp_path / "out")
    assert outcome.status == 0, outcome.told
    found = np.load(tmp_path / "out" / "cell-1.npy")
    assert (found.shape, found.dtype) == ((12, 16, 3), np.float32)
    assert 0.01 < found.std() < 1
    outcome = call("predict", run_dir, pictures, tmp_path / "h5", "--format", "hdf5")
    assert outcome.status == 0, outcome.told
    with h5py.File(tmp_path / "h5" / "cell-1.h5") as file:
        np.testing.assert_array_equal(file["values"][()], found)


def test_predictions_are_those_of_the_model_on_transformed_inputs(
    tmp_path: Path, run_dir: Path, pictures: Path
) -> None:
    import keras

    from ddl.training.data.training_data import open_data
    from ddl.training.plan.plan import plan_from_dict

    outcome = call("predict", run_dir, pictures, tmp_path / "out")
    assert outcome.status == 0, outcome.told
    plan = plan_from_dict(json.loads((run_dir / "plan.json").read_text()))
    inputs = open_data(plan).training.read([1])["image"]
    predicted = keras.models.load_model(run_dir / "model.keras")(inputs).numpy()[0]
    found = np.load(tmp_path / "out" / "cell-1.npy")  # enlarged to the picture's size
    np.testing.assert_allclose(
        found[:, 4:12].mean(axis=(0, 1)), predicted[:, 4:12].mean(axis=(0, 1)), atol=0.01
    )


def test_evaluation_takes_all_samples_of_a_run_without_validation(
    tmp_path: Path, run_dir: Path
) -> None:
    outcome = call("evaluate", run_dir)
    assert outcome.status == 0, outcome.told
    results = json.loads(outcome.printed)
    assert results["samples"] == 3
    assert 0 < results["mae"] < 1
    sheet = tmp_path / "worst.png"
    closer = call("evaluate", run_dir, "--worst", "2", "--worst-sheet", sheet)
    assert closer.status == 0, closer.told
    assert json.loads(closer.printed)["mae"] == pytest.approx(results["mae"], abs=1e-5)
    assert sheet.stat().st_size > 5000


@pytest.mark.parametrize(
    ("flags", "piece"),
    [
        (("--format", "tiff"), "format=tiff for a model that predicts values"),
        (("--threshold", "0.4"), "threshold for a model that predicts values"),
        (("--overlay", "true"), "overlay for a model that predicts values"),
    ],
)
def test_flags_for_masks_are_refused(
    tmp_path: Path, run_dir: Path, pictures: Path, flags: tuple[str, ...], piece: str
) -> None:
    outcome = call("predict", run_dir, pictures, tmp_path / "out", *flags)
    assert outcome.status == 2
    assert piece in outcome.told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("how", "piece"),
    [
        ({**HOW, "transforms": ("center_crop=8x8",)}, "whose inputs go through center_crop=8x8"),
        ({"fills_picture": False}, "whose values have other sides than its inputs"),
    ],
)
def test_models_of_no_whole_pictures_are_refused(
    tmp_path: Path, run_dir: Path, pictures: Path, how: dict[str, Any], piece: str
) -> None:
    paths = {"data": str(pictures), "target_data": str(pictures)}
    other = make_run(
        tmp_path / "run", shape=(16, 16, 3), classes=3, preprocessing=how, **PLAN, **paths
    )
    outcome = call("predict", other, pictures, tmp_path / "out")
    assert outcome.status == 2
    assert piece in outcome.told


@pytest.mark.parametrize("kind", ["npy", "h5"])
def test_arrays_have_the_channels_first_as_in_training(
    tmp_path: Path, run_dir: Path, kind: str
) -> None:
    values = np.random.default_rng(0).random((2, 3, 16, 16), np.float32)
    paths = {"data": "a", "target_data": "a", "data_option": {"format": "channels-first"}}
    plan = {**PLAN, "transform": (), "input_transform": (), **paths}
    how = {"channels_first": True}
    run = make_run(tmp_path / "run", shape=(16, 16, 3), classes=3, preprocessing=how, **plan)
    (tmp_path / "in").mkdir()
    if kind == "npy":
        for name, sample in zip("ab", values, strict=True):
            np.save(tmp_path / "in" / name, sample)
    else:
        with h5py.File(tmp_path / "in" / "all.h5", "w") as file:
            for name, sample in zip("ab", values, strict=True):
                file[name] = sample
    outcome = call("predict", run, tmp_path / "in", tmp_path / "out")
    assert outcome.status == 0, outcome.told
    import keras

    model = keras.models.load_model(run / "model.keras")
    predicted = model(np.moveaxis(values, 1, -1)).numpy()
    np.testing.assert_allclose(np.load(tmp_path / "out" / "b.npy"), predicted[1], atol=1e-5)


def test_an_export_is_refused(tmp_path: Path, run_dir: Path) -> None:
    outcome = call("export", run_dir, tmp_path / "a.xml")
    assert outcome.status == 2
    assert "a model that predicts values" in outcome.told
