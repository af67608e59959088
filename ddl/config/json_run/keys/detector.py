"""The keys of detection: `detector` in place of `layers`."""

from __future__ import annotations

from ddl.config.json_run.keys.key import Key, Section
from ddl.models.detectors.layouts import STRIDES
from ddl.ranges import Range

BOXES = "boxes"
"""The type of data with boxes."""
BOX_LOSSES = {"YOLOv3": "yolo", "FCOS": "fcos"}
"""Name in a config -> name in `--loss`."""

DETECTOR = Section(
    "detector",
    "the network that finds boxes",
    (
        Key(
            "network",
            "name",
            "a built-in detector by its name",
            "--model",
            needed=True,
            choices=tuple(STRIDES),
        ),
        Key(
            "options",
            "options",
            "its options, such as its anchors or its encoder",
            "--model-option NAME=VALUE",
        ),
        Key(
            "augment",
            "options",
            "random changes of pictures and boxes, such as a flip",
            "--augment NAME=VALUE",
        ),
        Key(
            "mosaic",
            "float",
            "probability that a sample is put together of four",
            "--mix mosaic=NUMBER",
            default=0.0,
            range=Range(0, 1),
        ),
    ),
)
