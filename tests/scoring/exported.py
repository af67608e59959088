"""Small models as scripts/export.py writes them, made with OpenVINO alone; their results can be computed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.preprocessing import Preprocessing

LABELS = ("dark", "middle", "bright")


def export(folder: Path, name: str, how: Preprocessing, model: Any) -> Path:
    """Write a model and its preprocessing; return the .xml."""
    import openvino

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.xml"
    openvino.save_model(model, path, compress_to_fp16=False)
    path.with_suffix(".preprocessing.json").write_text(how.to_json())
    return path


def bright_model(folder: Path, name: str = "bright", limit: float = 0.5) -> Path:
    """A model that predicts masks of RGB pictures: foreground where the mean of the channels is above the limit."""
    import openvino.opset13 as ops
    from openvino import Model

    image = ops.parameter([-1, -1, -1, 3], np.float32, name="image")
    mean = ops.reduce_mean(image, ops.constant(np.array([3])), keep_dims=True)
    far = ops.multiply(ops.subtract(mean, np.float32(limit)), np.float32(20))
    model = Model([ops.sigmoid(far)], [image], name)
    return export(folder, name, Preprocessing(target="mask", channels=3, classes=1), model)


def label_model(folder: Path, name: str = "shade") -> Path:
    """A model that predicts labels of grey pictures from their mean."""
    import openvino.opset13 as ops
    from openvino import Model

    image = ops.parameter([-1, -1, -1, 1], np.float32, name="image")
    mean = ops.reduce_mean(image, ops.constant(np.array([1, 2])), keep_dims=False)
    far = ops.abs(ops.subtract(mean, ops.constant(np.array([[0.0, 0.5, 1.0]], np.float32))))
    chances = ops.softmax(ops.multiply(far, np.float32(-8)), 1)
    how = Preprocessing(target="label", channels=1, classes=3, class_names=LABELS)
    return export(folder, name, how, Model([chances], [image], name))
