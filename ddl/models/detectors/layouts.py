"""The layouts of the detectors: what each position of their output stands for. No TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ddl.boxes.layout import Layout, Level

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
_ANCHORS = {"yolov3": YOLOV3_ANCHORS, "yolo_small": SMALL_ANCHORS}


def is_detector(name: str) -> bool:
    """Return whether a model finds boxes."""
    return name in STRIDES


def layout_of(name: str, options: Mapping[str, Any], classes: int) -> Layout:
    """Return the layout of a detector with these options.

    Raises:
        ValueError: the anchors cannot be shared out over the levels.
    """
    strides = STRIDES[name]
    if name not in _ANCHORS:
        return Layout("points", classes, tuple(Level(stride) for stride in strides))
    numbers = tuple(options.get("anchors") or _ANCHORS[name])
    per_level, rest = divmod(len(numbers), 2 * len(strides))
    if rest or not per_level or min(numbers, default=0) <= 0:
        raise ValueError(
            f"Received: anchors={','.join(f'{number:g}' for number in numbers)} for model {name}. Expected: a width "
            f"and a height above 0 for each anchor, smallest first, and equally many anchors for each of "
            f"{len(strides)} levels."
        )
    pairs = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    return Layout(
        "anchors",
        classes,
        tuple(
            Level(stride, pairs[number * per_level : (number + 1) * per_level])
            for number, stride in enumerate(strides)
        ),
    )
