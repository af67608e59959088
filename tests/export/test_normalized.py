"""A model of normalized inputs: evaluation, prediction, exports and the database give it the inputs of training."""

from __future__ import annotations

import io
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from ddl.data.normalization import Normalization
from ddl.export.export import Export
from ddl.export.export_command import check_export
from ddl.export.exporter import export_model
from ddl.inference.backends.keras_backend import KerasPredictor
from ddl.inference.backends.normalized import normalizing
from ddl.inference.backends.predictor import open_predictor
from ddl.inference.trained_model import TrainedModel, find_model
from ddl.scoring.in_database.deployed_model import Model
from ddl.scoring.in_database.limits import Limits
from tests.inference.models import make_run
from tests.scripts.in_process import call

HOW = Normalization((0.7, 0.2, 0.4), (0.05, 0.3, 0.2))
LEVELS = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    facts = {"mean": HOW.mean, "deviation": HOW.deviation}
    return make_run(
        tmp_path_factory.mktemp("normalized") / "run",
        shape=(16, 16, 3),
        preprocessing=facts,
        data_option={"count": 30},
        image_size=(16, 16),
    )


@pytest.fixture(scope="module")
def expected(run: Path) -> np.ndarray:
    """Return what plain Keras predicts for the normalized picture."""
    network = KerasPredictor(keras.models.load_model(run / "model.keras", compile=False))
    pixels = LEVELS.astype(np.float64) / 255
    inputs = (pixels - HOW.mean) / HOW.deviation
    return network.predict(inputs[None].astype(np.float32))[0]


def exported(run: Path, output: Path, *, folds: bool) -> TrainedModel:
    export = Export(run, output, fold_preprocessing=folds)
    export_model(export, *check_export(export))
    return find_model(output)


@pytest.mark.parametrize("folds", [False, True])
def test_an_export_predicts_what_keras_predicts(
    run: Path, expected: np.ndarray, tmp_path: Path, folds: bool
) -> None:
    model = exported(run, tmp_path / "a.xml", folds=folds)
    how = model.preprocessing
    assert (how.folded, how.normalization) == (folds, HOW)
    predictor = normalizing(open_predictor(model.file), how)
    found = predictor.predict(how.model_input(LEVELS)[None])[0]
    assert np.abs(found - expected).max() < 1e-4
    picture = io.BytesIO()
    Image.fromarray(LEVELS).save(picture, "PNG")
    in_database = Model(open_predictor(model.file), how)
    mask = Image.open(io.BytesIO(in_database.segment(picture.getvalue(), 0.5, Limits())))
    sure = np.abs(expected[..., 0] - 0.5) > 1e-3
    assert np.array_equal(np.asarray(mask)[sure] > 0, expected[..., 0][sure] > 0.5)


def test_both_ways_to_evaluate_and_predict_normalize(
    run: Path, expected: np.ndarray, tmp_path: Path
) -> None:
    plain, by_sample = (
        json.loads(call("evaluate", run, *more).printed) for more in ([], ["--backend", "keras"])
    )
    assert by_sample["loss"] == pytest.approx(plain["loss"], rel=1e-5)
    assert by_sample["dice"] == pytest.approx(plain["dice"], rel=1e-5)
    facts = json.loads((run / "preprocessing.json").read_text())
    assert facts["mean"] == list(HOW.mean)
    (tmp_path / "in").mkdir()
    Image.fromarray(LEVELS).save(tmp_path / "in" / "a.png")
    outcome = call("predict", run, tmp_path / "in", tmp_path / "out", "--probabilities")
    assert outcome.status == 0, outcome.told
    found = np.load(tmp_path / "out" / "a.probabilities.npy")
    assert np.abs(found.squeeze() - expected.squeeze()).max() < 1e-3
