"""The layouts of the detectors: what each position of their output stands for. No TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ddl.boxes.layout import Layout, Level, share_anchors
from ddl.models.from_file import FROM_FILE
from ddl.models.network.file import read_network

YOLOV3_ANCHORS = (
    *(10.0, 13.0, 16.0, 30.0, 33.0, 23.0),
    *(30.0, 61.0, 62.0, 45.0, 59.0, 119.0),
    *(116.0, 90.0, 156.0, 198.0, 373.0, 326.0),
)
"""Width and height of each, in pixels of a picture of 416x416: those that were published for COCO."""
SMALL_ANCHORS = (8.0, 8.0, 12.0, 12.0, 18.0, 18.0, 26.0, 26.0, 38.0, 38.0, 56.0, 56.0)
"""Those of yolo_small: squares, for objects of 6 to 70 pixels."""
STRIDES = {"yolov3": (8, 16, 32), "yolo_small": (8, 16), "fcos": (8, 16, 32)}
"""Detector -> side of a cell in pixels at each level, finest first."""
DARKNET_BLOCKS = (1, 2, 8, 8, 4)
"""Residual blocks of each stage of Darknet-53; the last three make the features. Channels double with each stage."""
_ANCHORS = {"yolov3": YOLOV3_ANCHORS, "yolo_small": SMALL_ANCHORS}


def is_detector(name: str, options: Mapping[str, Any] | None = None) -> bool:
    """Return whether a model finds boxes. The network of a file does where it is given anchors."""
    return name in STRIDES or (name == FROM_FILE and bool((options or {}).get("anchors")))


def kind_of(name: str) -> str:
    """Return what the positions of a detector are: "anchors" or "points"."""
    return "points" if name in STRIDES and name not in _ANCHORS else "anchors"


def layout_of(name: str, options: Mapping[str, Any], classes: int) -> Layout:
    """Return the layout of a detector with these options.

    Raises:
        ValueError: the anchors cannot be shared out over the levels.
    """
    if name == FROM_FILE:
        layout = read_network(options).layout
        assert layout is not None  # noqa: S101
        return layout
    strides = STRIDES[name]
    if name not in _ANCHORS:
        return Layout("points", classes, tuple(Level(stride) for stride in strides))
    anchors = tuple(options.get("anchors") or _ANCHORS[name])
    return Layout("anchors", classes, share_anchors(anchors, strides, f"model {name}"))
