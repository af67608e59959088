"""Every format and precision predicts like Keras, for pictures and batches of any size; else nothing is written."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from ddl.export.export import TOLERANCES, Export
from ddl.export.export_command import check_export
from ddl.export.exporter import Exported, export_model
from ddl.export.formats.calibration import Calibration
from ddl.export.keras_model import exportable, in_float32
from ddl.inference.backends.keras_backend import KerasPredictor
from ddl.inference.backends.predictor import open_predictor
from ddl.inference.trained_model import find_model, preprocessing_path
from ddl.models.zoo import build_model
from tests.inference.models import make_run

MASKS = {"data_option": {"count": 30}, "image_size": (16, 16)}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("exports") / "run", shape=(16, 16, 3), **MASKS)


def export_to(run: Path, output: Path, **options) -> Exported:
    export = Export(run, output, **options)
    model, checks, calibration = check_export(export)
    return export_model(export, model, checks, calibration)


@pytest.mark.parametrize(
    ("name", "precision", "folds"),
    [
        ("a.xml", "f32", False),
        pytest.param("b.xml", "f16", True, marks=pytest.mark.proof),
        ("c.savedmodel", "f32", True),
        ("d.onnx", "f32", False),
        pytest.param("e.onnx", "int8", True, marks=pytest.mark.proof),
        ("f.tflite", "f16", False),
        pytest.param("g.tflite", "int8", True, marks=pytest.mark.proof),
    ],
)
def test_an_export_predicts_like_keras_within_its_tolerance(
    run: Path, tmp_path: Path, name: str, precision: str, folds: bool
) -> None:
    allowed = {"tolerance": 0.05} if precision == "int8" else {}
    options = {"precision": precision, "fold_preprocessing": folds, **allowed}
    done = export_to(run, tmp_path / name, **options)
    assert done.parity.samples == 3
    model = find_model(tmp_path / name)
    assert model.preprocessing.folded == folds
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    levels = np.random.default_rng(0).integers(0, 256, (3, 24, 32, 3)).astype(np.float32) / 255
    original = KerasPredictor(keras.models.load_model(run / "model.keras", compile=False))
    exported = open_predictor(model.file)
    assert exported.input_shape == (None, None, 3)
    assert exported.classes == 1
    expected = original.predict(levels)
    limit = 0.3 if precision == "int8" else TOLERANCES[precision]
    assert np.abs(exported.predict(levels) - expected).max() < limit
    assert np.abs(exported.predict(levels[:1]) - expected[:1]).max() < limit
    exported.close()
    if model.file.is_file():
        check_cut_short(model.file)


def check_cut_short(file: Path) -> None:
    """Check that a truncated model is refused; it would crash some engines."""
    whole = file.read_bytes()
    for kept in (len(whole) // 2, len(whole) - 40):
        file.write_bytes(whole[:kept])
        with pytest.raises(ValueError, match="cannot read"):
            open_predictor(file)


def test_an_export_beyond_its_tolerance_leaves_no_files(run: Path, tmp_path: Path) -> None:
    words = r"in f16 that is too far from Keras: largest difference .*Expected: largest difference"
    with pytest.raises(ValueError, match=words):
        export_to(run, tmp_path / "a.xml", precision="f16", tolerance=1e-9)
    assert not list(tmp_path.iterdir())


def test_labels_are_exported_in_int8_with_their_accuracy(tmp_path: Path) -> None:
    options = {"loss": "categorical_crossentropy", "metric": ("top_1",), "model": "resnet20"}
    run = make_run(
        tmp_path / "run", shape=(25, 25, 1), classes=2, data="faces", model_option={}, **options
    )
    done = export_to(
        run, tmp_path / "a.xml", precision="int8", check_samples=10, calibration_samples=10
    )
    assert (done.parity.score, done.parity.samples) == ("accuracy", 10)
    assert done.bytes_after < 0.9 * done.bytes_before
    assert preprocessing_path(tmp_path / "a.xml").is_file()


def test_mixed_precision_is_exported_as_float32() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = build_model("unet", (16, 16, 3), 1, width=4, depth=2)
    finally:
        keras.config.set_dtype_policy("float32")
    pure = in_float32(mixed)
    assert {layer.compute_dtype for layer in mixed.layers} == {"bfloat16", "float32"}
    assert {layer.compute_dtype for layer in pure.layers} == {"float32"}
    batch = np.random.default_rng(0).random((1, 16, 16, 3), np.float32)
    assert np.abs(pure(batch).numpy() - mixed(batch).numpy().astype(np.float32)).max() < 0.05


def test_a_model_that_cannot_be_traced_at_any_size_keeps_its_size() -> None:
    model = build_model("unet", (16, 16, 3), 1, width=4, depth=2, transposed=False)
    assert exportable(model).input_shape == (None, 16, 16, 3)
    assert exportable(build_model("unet", (16, 16, 3), 1, width=4)).input_shape[1] is None


def test_calibration_without_samples_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="This precision has no calibration samples"):
        next(iter(Calibration(None, np.dtype(np.float32))))
