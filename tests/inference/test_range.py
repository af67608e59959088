"""The range of a training goes with its model: evaluation, prediction, export and SQL scale pictures alike."""

from __future__ import annotations

import io
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from ddl.data.pictures.picture_file import read_mask
from ddl.data.preprocessing import Preprocessing
from ddl.export.reference_pictures import open_samples
from ddl.inference.prediction.inputs import find_items
from ddl.inference.tiles.segmenter import Cut, Segmenter
from ddl.inference.trained_model import find_model
from ddl.scoring.in_database.deployed_model import Model
from ddl.scoring.in_database.limits import Limits
from ddl.training.data.plan_preprocessing import plan_preprocessing
from ddl.training.data.training_data import as_samples, open_data
from ddl.training.evaluation import Evaluation, open_subject
from ddl.training.plan.plan import Plan
from tests.data.test_value_range import camera, twelve_bits
from tests.inference.models import make_run
from tests.scripts.in_process import call
from tests.scripts.prepare_runs import prepare_here

HOW = Preprocessing(target="mask", channels=1, classes=1, bits=16, range=(0, 4095), side_multiple=4)
OPTIONS = {"channels": "grey", "range": "data"}


class Echo:
    """A predictor that finds what it is given."""

    input_shape = (None, None, 1)
    classes = 1

    def predict(self, pictures: np.ndarray) -> np.ndarray:
        return pictures


def dark(folder: Path) -> Path:
    """Write pictures that use a quarter of what those of the training used."""
    folder.mkdir()
    for index in range(3):
        iio.imwrite(folder / f"{index}.png", twelve_bits(index) // 4)
        iio.imwrite(folder / f"{index}_mask.png", np.zeros((16, 16), np.uint8))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("range")
    data = camera(folder / "in", "png", 10)
    how = {"range": (0.0, 4095.0), "bits": 16}
    return make_run(
        folder / "run",
        shape=(16, 16, 1),
        data=str(data),
        data_option=OPTIONS,
        preprocessing=how,
        model_option={"width": 4, "depth": 2, "norm": "none"},
    )


@pytest.mark.parametrize("kind", ["files", "prepared"])
def test_a_training_keeps_the_range_that_it_found(tmp_path: Path, kind: str) -> None:
    data, options = camera(tmp_path / "in", "tif", 10), dict(OPTIONS)
    if kind == "prepared":
        flags = ["--range", "data", "--channels", "grey", "--image-size", "16"]
        prepare_here(data, tmp_path / "a.h5", *flags)
        data, options = tmp_path / "a.h5", {}
    plan = Plan(
        run_dir=tmp_path / "run", data=str(data), data_option=options, model_option={"depth": 2}
    )
    opened = open_data(plan)
    how = plan_preprocessing(plan, opened.input_shape, opened.classes, opened.training)
    assert (how.range, how.bits) == ((0.0, 4095.0), 16)
    index = [opened.training.name_of(n) for n in range(8)].index("3.tif")
    image = opened.training.read([index])["image"][0]
    np.testing.assert_array_equal(image, how.model_input(twelve_bits(3)[..., None]))
    assert image.max() == 1


def test_validation_data_are_scaled_like_the_training_data(tmp_path: Path) -> None:
    plan = Plan(
        run_dir=tmp_path / "run",
        data=str(camera(tmp_path / "in", "png")),
        data_option=OPTIONS,
        validation_data=str(dark(tmp_path / "dark")),
        model_option={"depth": 2},
    )
    data = open_data(plan)
    assert data.validation.value_range == (0.0, 4095.0)
    assert data.validation.read([0, 1, 2])["image"].max() == pytest.approx(0.25, abs=1e-3)


def test_evaluation_on_other_data_takes_the_range_of_the_training(
    run: Path, tmp_path: Path
) -> None:
    subject = open_subject(Evaluation(run, data=str(dark(tmp_path / "dark"))))
    image = as_samples(subject.source, subject.plan, 1).read([0, 1, 2])["image"]
    assert image.max() == pytest.approx(0.25, abs=1e-3)
    assert "values 0,4095 scaled to 0 to 1" in subject.describe()[0]


def test_the_runs_own_data_keep_the_range_though_pictures_were_added(run: Path) -> None:
    subject = open_subject(Evaluation(run))
    assert subject.plan.data_option["range"] == "0,4095"


@pytest.mark.parametrize("kind", ["file", "npy", "npz", "prepared"])
def test_prediction_scales_files_and_arrays_by_it_once(tmp_path: Path, kind: str) -> None:
    stored = twelve_bits(0)[..., None]
    if kind == "file":
        tifffile.imwrite(tmp_path / "a.tif", stored[..., 0])
        path = tmp_path / "a.tif"
    elif kind == "npy":
        path = tmp_path / "a.npy"
        np.save(path, stored)
    elif kind == "npz":
        path = tmp_path / "a.npz"
        np.savez(path, images=stored[None])
    else:
        path = tmp_path / "a.h5"
        flags = ["--range", "0,4095", "--channels", "grey", "--image-size", "16"]
        prepare_here(camera(tmp_path / "in", "png", 10), path, *flags)
    (item, *_) = find_items(path, HOW, 10**6)
    with item.open() as rows:
        prepared = Segmenter((None, None, 1), HOW, Cut()).begin(rows, item.is_file)
        tile = prepared.tile
    np.testing.assert_allclose(tile, stored / 4095, atol=1e-5)


def test_sql_scales_by_it() -> None:
    picture = twelve_bits(0)
    file = io.BytesIO()
    iio.imwrite(file, picture, extension=".png")
    mask = Model(Echo(), HOW).segment(file.getvalue(), 0.5, Limits())  # type: ignore[arg-type]
    np.testing.assert_array_equal(iio.imread(mask) > 0, picture > 2047)


def test_an_export_is_compared_on_scaled_samples(run: Path) -> None:
    samples = open_samples(find_model(run), "check", None, 3)
    assert max(sample.picture.max() for sample in samples) == 1
    assert "values 0,4095 scaled" in samples.about[0]


@pytest.mark.parametrize("folded", ["false", "true"])
def test_keras_and_openvino_find_the_same_masks(run: Path, tmp_path: Path, folded: str) -> None:
    pictures = camera(tmp_path / "in", "png", 4)
    xml = tmp_path / "cells.xml"
    outcome = call("export", run, xml, "--fold-preprocessing", folded)
    assert outcome.status == 0, outcome.told
    assert "10 pictures with masks, 16x16 grey, 16 bits, values 0,4095 scaled" in outcome.told
    for name, model in (("keras", run), ("openvino", xml)):
        outcome = call("predict", model, pictures, tmp_path / name, "--probabilities", "true")
        assert outcome.status == 0, outcome.told
    for index in range(4):
        masks = [read_mask(tmp_path / name / f"{index}.png") for name in ("keras", "openvino")]
        chances = [
            np.load(tmp_path / name / f"{index}.probabilities.npy")
            for name in ("keras", "openvino")
        ]
        np.testing.assert_allclose(*chances, atol=2e-5)
        assert (masks[0] != masks[1]).mean() < 0.01
        assert chances[0].std() > 1e-4
