"""OpenVINO IR export by OpenVINO's converter: network in .xml, weights in .bin. NNCF makes int8 models."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import keras

from ddl.export.formats.calibration import Calibration
from ddl.inference.backends.optional_packages import load_nncf, load_openvino


def write(model: keras.Model, path: Path, precision: str, calibration: Calibration) -> None:
    """Write a model to `path` (.xml) and its .bin. f16 applies to weights only, int8 to weights and computation."""
    ov = load_openvino()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        converted = ov.convert_model(folder)
    if precision == "int8":
        converted = _quantize(converted, calibration)
    ov.save_model(converted, path, compress_to_fp16=precision == "f16")


def _quantize(converted: Any, calibration: Calibration) -> Any:
    nncf = load_nncf()
    return nncf.quantize(converted, nncf.Dataset(calibration), subset_size=len(calibration))
