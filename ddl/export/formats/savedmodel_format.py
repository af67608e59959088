"""SavedModel export: a folder for TensorFlow Serving and for converters."""

from __future__ import annotations

from pathlib import Path

import keras

from ddl.export.formats.calibration import Calibration


def write(model: keras.Model, path: Path, precision: str, calibration: Calibration) -> None:
    """Write a model to the folder `path`."""
    model.export(path, format="tf_saved_model", verbose=False)
