"""Ranges of an augmentation's options, and checks of them against each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ddl.ranges import Range

RANGES = {
    "rotation_degrees": Range(0, 180),
    "zoom": Range(0, 0.9),
    **dict.fromkeys(("contrast", "crop_foreground"), Range(0, 1)),
    **dict.fromkeys(("elastic_pixels", "brightness", "gamma", "noise"), Range(0, 1000)),
    "elastic_smoothness_pixels": Range(0, 1000, above=True),
    "crop_size": Range(1),
    **dict.fromkeys(("flip_horizontal", "flip_vertical", "saturation", "erase"), Range(0, 1)),
    "pad_crop": Range(0),
    "resized_scale": Range(0, 1, above=True),
    "resized_ratio": Range(0, 100, above=True),
    "central_crop": Range(0, 1, above=True),
    "hue": Range(0, 0.5),
    "randaugment": Range(0, 30),
    "box_visibility": Range(0, 1),
}
_PAIRS = ("resized_scale", "resized_ratio")  # they tune `resized_crop`


def check_flips(options: Mapping[str, Any]) -> None:
    """Refuse two ways to flip."""
    flip, axes = options["flip"], options["flip_axes"]
    horizontal, vertical = options["flip_horizontal"], options["flip_vertical"]
    if flip and axes is not None:
        raise ValueError(
            "Received: flip=true and flip_axes for augmentation. Expected: one of them; flip is along all axes."
        )
    if (flip or axes) and (horizontal or vertical):
        other = "flip=true" if flip else f"flip_axes={','.join(axes or ())}"
        raise ValueError(
            f"Received: {other} with flip_horizontal={horizontal:g} and flip_vertical={vertical:g} for augmentation. "
            "Expected: probabilities alone, or flip or flip_axes alone."
        )


def check_pairs(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Refuse options of two numbers that have another count or order, or no effect."""
    randaugment = options["randaugment"]
    if randaugment is not None and (len(randaugment) != 2 or randaugment[0] < 1):
        raise ValueError(
            f"Received: randaugment={_text(randaugment)} for augmentation. Expected: a number of operations and a "
            "magnitude, such as 2,9."
        )
    for name in _PAIRS:
        pair, usual = options[name], defaults[name]
        if len(pair) != 2 or pair[0] > pair[1]:
            raise ValueError(
                f"Received: {name}={_text(pair)} for augmentation. Expected: the smallest and the largest, such as "
                f"{_text(usual)}."
            )
        if pair != usual and not options["resized_crop"]:
            raise ValueError(
                f"Received: {name}={_text(pair)} without resized_crop. Expected: both; give resized_crop=true."
            )


def _text(numbers: tuple[float, ...]) -> str:
    return ",".join(f"{number:g}" for number in numbers)
