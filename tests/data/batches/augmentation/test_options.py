"""Options that contradict each other or fit no such picture are refused; each one leaves the draws of others alone."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from ddl.data.batches.augmentation import Augmentation
from ddl.data.batches.batch_reader import BatchReader
from ddl.data.inputs_and_targets import MaskSamples
from ddl.data.pictures.synthetic_picture import microscope_picture
from ddl.data.sources import open_source

PICTURE, MASK = microscope_picture(1, 24)
NEW: list[dict[str, Any]] = [
    {"flip_horizontal": 0.5},
    {"flip_vertical": 0.5},
    {"pad_crop": 3},
    {"resized_crop": True},
    {"saturation": 0.5},
    {"hue": 0.2},
    {"erase": 0.5},
    {"randaugment": (2, 9)},
]
OLD = Augmentation(rotation_degrees=20, noise=0.1, brightness=0.1)


@pytest.mark.parametrize("change", NEW, ids=lambda change: next(iter(change)))
def test_each_option_has_an_effect_that_depends_on_seed_epoch_and_index(
    change: dict[str, Any],
) -> None:
    augmentation = Augmentation(**change)
    keys = [(s, e, i) for s in (0, 1) for e in (0, 1) for i in range(4)]

    def drawn(key: tuple[int, int, int]) -> bytes:
        seed, epoch, index = key
        return augmentation(PICTURE, None, seed=seed, epoch=epoch, index=index)[0].tobytes()

    first = {key: drawn(key) for key in keys}
    assert {key: drawn(key) for key in reversed(keys)} == first
    assert len(set(first.values())) > 1


def test_off_options_change_no_draw_of_the_others() -> None:
    image, _ = OLD(PICTURE, None, seed=0, epoch=0, index=3)
    for change in ({"erase": 1e-9}, {"saturation": 1e-9}, {"flip_horizontal": 1e-9}):
        other, _ = dataclasses.replace(OLD, **change)(PICTURE, None, seed=0, epoch=0, index=3)  # type: ignore[arg-type]
        assert other == pytest.approx(image, abs=1e-6)
    both = Augmentation(flip_horizontal=0.5, erase=0.5)
    for index in range(8):
        flipped, _ = Augmentation(flip_horizontal=0.5)(PICTURE, None, seed=0, epoch=0, index=index)
        erased, _ = both(PICTURE, None, seed=0, epoch=0, index=index)
        assert (erased == flipped).all(-1).mean() > 0.6


@pytest.mark.parametrize(("name", "side"), [("flip_horizontal", 1), ("flip_vertical", 0)])
def test_a_flip_comes_with_its_probability(name: str, side: int) -> None:
    augmentation = Augmentation(**{name: 0.2})  # type: ignore[arg-type]
    count = 0
    for index in range(500):
        image, mask = augmentation(PICTURE, MASK, seed=0, epoch=0, index=index)
        is_flipped = not np.array_equal(image, PICTURE)
        count += is_flipped
        assert np.array_equal(image, np.flip(PICTURE, side) if is_flipped else PICTURE)
        assert np.array_equal(mask, np.flip(MASK, side) if is_flipped else MASK)
    assert 70 < count < 130


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flip_horizontal": 1.5}, "flip_horizontal=1.5 for augmentation. Expected: at least 0"),
        ({"flip": True, "flip_vertical": 0.5}, "flip=true with flip_horizontal=0 and flip_vert"),
        ({"flip_axes": ("width",), "flip_horizontal": 0.5}, "flip_axes=width with"),
        ({"pad_crop": -1}, "pad_crop=-1 for augmentation. Expected: at least 0"),
        ({"central_crop": 0.0}, "central_crop=0.0 for augmentation. Expected: above 0, at most 1"),
        ({"hue": 0.6}, "hue=0.6 for augmentation. Expected: at least 0, at most 0.5"),
        ({"resized_crop": True, "resized_scale": (1.0, 0.1)}, "resized_scale=1,0.1 for augm"),
        ({"resized_crop": True, "resized_scale": (0.1,)}, "the smallest and the largest, such as"),
        ({"resized_crop": True, "resized_ratio": (0.0, 1.0)}, "Expected: above 0"),
        ({"resized_scale": (0.1, 1.0)}, "resized_scale=0.1,1 without resized_crop. Expected: both"),
        ({"randaugment": (2,)}, "randaugment=2 for augmentation. Expected: a number of"),
        ({"randaugment": (0, 9)}, "randaugment=0,9 for augmentation. Expected: a number of"),
        ({"randaugment": (2, 31)}, "Expected: at least 0, at most 30"),
        ({"erase": -0.1}, "erase=-0.1 for augmentation"),
    ],
)
def test_invalid_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Augmentation(**options)


@pytest.mark.parametrize("option", [{"resized_crop": True}, {"erase": 0.5}, {"hue": 0.1}])
def test_volumes_are_refused_where_an_option_is_for_pictures(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Expected: pictures "):
        Augmentation(**option).crop_of((8, 8, 8, 3))


def test_a_pad_as_long_as_the_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="pad_crop=8 for pictures of shape"):
        Augmentation(pad_crop=8).crop_of((8, 9, 3))


def test_operations_that_move_only_the_picture_are_refused_for_masks() -> None:
    samples = MaskSamples(open_source("synthetic", count=2, size=16))
    for option in ({"randaugment": (2, 9)}, {"central_crop": 0.5}):
        with pytest.raises(ValueError, match="for samples with masks"):
            BatchReader(samples, Augmentation(**option))  # type: ignore[arg-type]
