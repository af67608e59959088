"""Configs of detectors with a mistake each, as those of `bad_configs`."""

from __future__ import annotations

from tests.config.json_run.bad_configs import Row
from tests.config.json_run.good_configs import CLASSES, DETECTOR


def _row(old: str, new: str, line: str) -> Row:
    return Row(old, new, line, DETECTOR)


ROWS = [
    _row(
        '"network": "fcos"',
        '"network": "fcoss"',
        'x.json:5: detector.network: Received: "fcoss". Expected: one of yolov3, yolo_small, fcos. ...',
    ),
    _row(
        '"network": "fcos",',
        "",
        "x.json:4: detector.network: is missing. ...",
    ),
    _row(
        '"mosaic": 0.5',
        '"mosaic": 1.5',
        "x.json:7: detector.mosaic: Received: 1.5. Expected: a number, at least 0, at most 1.",
    ),
    _row(
        '"mosaic": 0.5',
        '"mosaics": 0.5',
        "x.json:7: detector.mosaics: no such key. Did you mean mosaic?",
    ),
    _row(
        '"options": { "width": 8 }',
        '"options": 8',
        "x.json:6: detector.options: Received: 8. Expected: an object with an option each.",
    ),
    _row(
        '"type": "boxes"',
        '"type": "images"',
        "x.json:12: data.image_size: has no meaning for images. It is for boxes.",
    ),
    _row(
        '"image_size": [64, 64]',
        '"image_size": [64]',
        "x.json:12: data.image_size: Received: [64]. Expected: a list of two whole numbers, ...",
    ),
    _row(
        '"input_path"',
        '"test_input_path"',
        "x.json:9: data.input_path: is missing, and needed for a detector. ...",
    ),
    _row(
        '"batch_size": 8',
        '"batch_size": 8, "transforms": [{ "resize": [16, 16] }]',
        "x.json:13:30: data.transforms: has no meaning for a detector.",
    ),
    _row(
        '"loss": { "function": "FCOS" }',
        '"loss": { "function": "YOLOv3" }',
        "x.json:15:19: loss.function: YOLOv3 for detector fcos. Expected: FCOS, or no loss.",
    ),
    _row(
        '"num_epochs": 2,',
        '"num_epochs": 2, "layers": "net.json",',
        "x.json:3:26: layers: with detector. Expected: one of them.",
    ),
    _row(
        '"type": "adam", "learning_rate": 0.001',
        '"type": "Hessian"',
        "x.json:16:24: optimizer.type: Hessian for a detector. Expected: ...",
    ),
    Row(
        '"function": "nll",\n            "source": "softmax"',
        '"function": "YOLOv3"',
        "x.json:25: loss.function: YOLOv3 without detector. Expected: both, such as ...",
        CLASSES,
    ),
]
