"""Flags of PyDTNN for changes of the pictures: of training samples at random, and of all."""

from __future__ import annotations

from typing import Any

from ddl.config.pydtnn.draft import Draft
from ddl.config.pydtnn.flag import ONE, THREE, Flag
from ddl.config.pydtnn.settings import Settings

_OTHERS = "-- --augment with resized_crop, zoom, noise or erase"
_LIGHT = (
    "-- --augment brightness=0.2 contrast=0.2 saturation=0.2, whose strengths have other scales"
)
_ERASE = "-- --augment erase=0.25"

FLAGS = (
    Flag("flip_images", "bool", False, (ONE,), to="--augment flip_horizontal="),
    Flag("flip_images_prob", "float", 0.5, (ONE,), to="--augment flip_horizontal="),
    Flag(
        "crop_images",
        "bool",
        False,
        (ONE,),
        refused="-- --augment pad_crop=4 or erase=0.25; there a random window stays and the corners turn black",
        harmless=(False,),
    ),
    Flag("crop_images_size", "int", 16, (ONE,), idle="it belongs to --crop_images"),
    Flag("crop_images_prob", "float", 0.5, (ONE,), idle="it belongs to --crop_images"),
    Flag("augment_horizontal_flip", "float", 0.0, (THREE,), to="--augment flip_horizontal="),
    Flag("augment_vertical_flip", "float", 0.0, (THREE,), to="--augment flip_vertical="),
    Flag("augment_rotate", "float", 0.0, (THREE,), to="--augment rotation_degrees="),
    Flag("augment_rotate_degree", "float", 90.0, (THREE,), to="--augment rotation_degrees="),
    *(
        Flag(f"augment_{what}", "float", 0.0, (THREE,), refused=_LIGHT, harmless=(0.0,))
        for what in ("brightness", "contrast", "saturation")
    ),
    *(
        Flag(
            f"augment_{what}_factor", "float", 1.0, (THREE,), idle=f"it belongs to --augment-{what}"
        )
        for what in ("brightness", "contrast", "saturation")
    ),
    Flag("augment_blur", "float", 0.0, (THREE,), refused=_OTHERS, harmless=(0.0,)),
    Flag("augment_blur_size", "int", 16, (THREE,), idle="it belongs to --augment-blur"),
    Flag("augment_mask", "float", 0.0, (THREE,), refused=_ERASE, harmless=(0.0,)),
    Flag("augment_mask_size", "int", 16, (THREE,), idle="it belongs to --augment-mask"),
    Flag("augment_perspective", "float", 0.0, (THREE,), refused=_OTHERS, harmless=(0.0,)),
    Flag(
        "augment_perspective_factor",
        "float",
        0.25,
        (THREE,),
        idle="it belongs to --augment-perspective",
    ),
    Flag(
        "augment_shuffle",
        "bool",
        True,
        (THREE,),
        refused="samples in a new order in each epoch, as always here",
        harmless=(True,),
    ),
    Flag("input_crop", "bool", False, (THREE,), to="--augment central_crop="),
    Flag("input_crop_perc", "float", 0.875, (THREE,), to="--augment central_crop="),
    Flag("input_scale", "bool", False, (THREE,), to="--image-size"),
    Flag("input_scale_size", "int", 300, (THREE,), to="--image-size"),
    Flag("input_normalize", "bool", False, (THREE,), to="--normalize channels"),
    Flag(
        "input_normalize_offset",
        "float",
        0.0,
        (THREE,),
        refused="--input-normalize alone: mean and deviation are those of the training samples",
        harmless=(0.0,),
    ),
    Flag(
        "input_normalize_scale",
        "float",
        0.0,
        (THREE,),
        refused="--input-normalize alone: mean and deviation are those of the training samples",
        harmless=(0.0,),
    ),
)


def translate_augmentation(settings: Settings, draft: Draft) -> None:
    """Translate what changes the pictures."""
    augment: dict[str, Any] = {}
    flips = {"flip_horizontal": settings["augment_horizontal_flip"]}
    flips["flip_vertical"] = settings["augment_vertical_flip"]
    if settings["flip_images"]:
        flips["flip_horizontal"] = settings["flip_images_prob"]
    augment |= {name: probability for name, probability in flips.items() if probability}
    if settings["augment_rotate"]:
        if settings["augment_rotate"] != 1:
            raise settings.refusal("augment_rotate", "0 or 1: each sample is rotated, or none")
        augment["rotation_degrees"] = settings["augment_rotate_degree"]
    if settings["input_crop"]:
        augment["central_crop"] = settings["input_crop_perc"]
    if augment:
        draft.fields["augment"] = augment
    if settings["input_scale"]:
        draft.fields["image_size"] = (settings["input_scale_size"],) * 2
    if settings["input_normalize"]:
        draft.fields["normalize"] = "channels"
