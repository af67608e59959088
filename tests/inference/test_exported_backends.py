"""Backends of exported models: modes, threads and precisions; errors name broken models."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from ddl.data.preprocessing import Preprocessing
from ddl.export.formats.calibration import Calibration
from ddl.export.formats.openvino_format import write
from ddl.export.formats.quiet_converters import silenced
from ddl.export.formats.tflite_format import write as write_tflite
from ddl.inference.backends.keras_backend import with_open_sides
from ddl.inference.backends.predictor import check_backend, open_predictor
from ddl.inference.trained_model import find_model, preprocessing_path
from ddl.models.zoo import build_model


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("openvino") / "a.xml"
    keras.utils.set_random_seed(0)
    model = with_open_sides(build_model("unet", (16, 16, 3), 2, width=4, depth=2))
    write(model, path, "f32", Calibration(None, np.dtype(np.float32)))
    how = Preprocessing(target="mask", channels=3, classes=2)
    preprocessing_path(path).write_text(how.to_json())
    return path


def test_modes_and_threads_change_only_rounding(file: Path) -> None:
    batch = np.random.default_rng(0).random((5, 16, 24, 3), np.float32)
    found = []
    for mode, threads in (("latency", 1), ("throughput", 2), ("throughput", 1)):
        predictor = open_predictor(file, mode=mode, threads=threads)
        found += [predictor.predict(batch), predictor.predict(batch)]
        predictor.close()
    for one in found:
        assert one.shape == (5, 16, 24, 2)
        assert np.abs(one - found[0]).max() < 1e-5


def test_bf16_is_used_only_on_request(file: Path) -> None:
    assert check_backend(file, precision="bf16") == "openvino"
    assert open_predictor(file, precision="bf16").classes == 2
    for name, words in (("a.onnx", "for backend onnx"), ("a.keras", "for backend keras")):
        with pytest.raises(ValueError, match=f"inference_precision='bf16' {words}. Expected: f32."):
            check_backend(Path(name), precision="bf16")


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("a.xml", "OpenVINO cannot read"),
        ("a.onnx", "ONNX Runtime cannot read"),
        ("a.tflite", "TensorFlow Lite cannot read"),
        ("a.savedmodel", "TensorFlow cannot load"),
    ],
)
def test_a_file_without_a_model_gets_a_one_line_error(
    tmp_path: Path, name: str, engine: str
) -> None:
    (tmp_path / name).write_text("nothing")
    with pytest.raises(ValueError, match=f"Received: .*{name}, which {engine} .* Expected: "):
        open_predictor(tmp_path / name)


def test_tensorflow_lite_says_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its INFO line on the XNNPACK delegate is of no use to whoever predicts."""
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 3, padding="same")])
    with silenced():
        write_tflite(model, tmp_path / "a.tflite", "f32", Calibration(None, np.dtype(np.float32)))
    capfd.readouterr()
    predictor = open_predictor(tmp_path / "a.tflite")
    for size in (1, 3):
        assert predictor.predict(np.zeros((size, 8, 8, 1), np.float32)).shape == (size, 8, 8, 1)
    predictor.close()
    assert capfd.readouterr().err == ""


def test_the_digest_of_a_model_covers_its_weights(file: Path, tmp_path: Path) -> None:
    before = find_model(file).digest()
    for path in file.parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = tmp_path / "a.bin"
    weights.write_bytes(weights.read_bytes()[::-1])
    assert find_model(tmp_path / "a.xml").digest() != before
    weights.unlink()
    with pytest.raises(ValueError, match=r"a.xml without a.bin. Expected: both"):
        find_model(tmp_path / "a.xml")
