"""ONNX export by tf2onnx. ONNX Runtime's quantizer makes int8 models in QDQ format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ddl.export.formats.calibration import Calibration

_OPSET = 18  # the newest opset that tf2onnx 1.17 supports well


def write(model: keras.Model, path: Path, precision: str, calibration: Calibration) -> None:
    """Write a model to `path` (.onnx)."""
    import tf2onnx

    signature = [tf.TensorSpec((None, *model.input_shape[1:]), calibration.dtype, name="image")]
    call = tf.function(lambda image: model(image, training=False), input_signature=signature)
    plain = path.with_name(f"f32-{path.name}") if precision == "int8" else path
    tf2onnx.convert.from_function(
        call, input_signature=signature, opset=_OPSET, output_path=str(plain)
    )
    if precision == "int8":
        _quantize(plain, path, calibration)
        plain.unlink()


def _quantize(plain: Path, path: Path, calibration: Calibration) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._inputs: Iterator[np.ndarray] = iter(calibration)

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self._inputs, None)
            return None if batch is None else {"image": batch}

    quantize_static(str(plain), str(path), Reader(), quant_format=QuantFormat.QDQ, per_channel=True)
