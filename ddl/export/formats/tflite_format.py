"""TensorFlow Lite export by TensorFlow's converter. Inputs and outputs keep their dtypes in every precision."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from ddl.export.formats.calibration import Calibration


def write(model: keras.Model, path: Path, precision: str, calibration: Calibration) -> None:
    """Write a model to `path` (.tflite)."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        converter: Any = tf.lite.TFLiteConverter.from_saved_model(folder)
        if precision != "f32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "f16":
            converter.target_spec.supported_types = [tf.float16]
        if precision == "int8":
            converter.representative_dataset = lambda: _representative(calibration)
        path.write_bytes(converter.convert())


def _representative(calibration: Calibration) -> Iterator[list[Any]]:
    """Yield calibration inputs in the converter's format: a list with one array for each model input."""
    for batch in calibration:
        yield [batch]
