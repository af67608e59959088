"""Flags become an `Augmentation` with each option in its type, without TensorFlow."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterable

import pytest

from ddl.data.batches.augmentation import Augmentation
from ddl.options import parse_options, read_options

OPTIONS = read_options("ddl.data.batches.augmentation:Augmentation")

TEXTS = {
    "flip": "no",
    "flip_axes": "width",
    "right_angles": "true",
    "rotation_degrees": "15",
    "zoom": "0.1",
    "elastic_pixels": "2",
    "elastic_smoothness_pixels": "8.5",
    "brightness": "0.1",
    "contrast": "0.2",
    "gamma": "0.3",
    "noise": "1e-2",
    "crop_size": "64x96",
    "crop_foreground": "0.8",
    "flip_horizontal": "0",
    "flip_vertical": "0",
    "pad_crop": "4",
    "resized_crop": "true",
    "resized_scale": "0.2,1",
    "resized_ratio": "0.5, 2",
    "central_crop": "0.875",
    "saturation": "0.4",
    "hue": "0.1",
    "erase": "0.25",
    "randaugment": "2,9",
    "box_visibility": "0.5",
}


def parse(texts: Iterable[str]) -> Augmentation:
    return Augmentation(**parse_options(texts, OPTIONS, "augmentation"))


def test_every_option_can_be_parsed() -> None:
    assert list(TEXTS) == [field.name for field in dataclasses.fields(Augmentation)]
    said = parse(f"{name}={text}" for name, text in TEXTS.items())
    assert said == Augmentation(
        *(False, ("width",), True, 15.0, 0.1, 2.0, 8.5, 0.1, 0.2, 0.3, 0.01, (64, 96), 0.8),
        *(0.0, 0.0, 4, True, (0.2, 1.0), (0.5, 2.0), 0.875, 0.4, 0.1, 0.25, (2, 9), 0.5),
    )


def test_no_options_give_the_defaults() -> None:
    assert parse([]) == parse(["crop-size=none"]) == Augmentation()


@pytest.mark.parametrize(
    ("text", "size"), [("64", 64), ("64x96", (64, 96)), ("32x64x64", (32, 64, 64))]
)
def test_a_crop_has_one_side_or_as_many_as_axes(text: str, size: object) -> None:
    assert parse([f"crop_size={text}"]) == Augmentation(crop_size=size)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["rotate=5"], "'rotate'. Expected: flip, flip_axes, right_angles, rotation_degrees, zoom"),
        (["flip"], "Expected: NAME=VALUE"),
        (["flip=3"], "flip='3'. Expected: true or false"),
        (["zoom=a"], "zoom='a'. Expected: a number"),
        (["zoom=2"], "zoom=2.0 for augmentation. Expected: at least 0, at most 0.9"),
        (["zoom=0.1", "zoom=0.2"], "'zoom' of augmentation twice"),
        (["crop_size=64x"], "crop_size='64x'. Expected: pixels, such as 128 or 96x128"),
        (["crop_size=1x2x3x4"], "crop_size='1x2x3x4'"),
        (["crop_size=-5"], "crop_size='-5'"),
        (["crop_size=64x0"], "crop_size='64x0'. Expected: pixels"),
    ],
)
def test_invalid_augmentations_are_refused(texts: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse(texts)
    assert "\n" not in str(caught.value)


def test_every_option_has_a_help_and_a_default() -> None:
    for name, option in OPTIONS.items():
        assert option.help.endswith("."), name
        assert option.default == getattr(Augmentation(), name)


def test_help_needs_no_tensorflow() -> None:
    code = (
        "import sys, ddl.data.batches.sample_cache, ddl.data.batches.batch_reader, ddl.data.inputs_and_targets;"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'h5py')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
