"""Random parts of pictures: where they lie, how large they are, and that masks move with them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.data.batches.augmentation import Augmentation
from ddl.data.batches.augmentation.crops import draw_box
from ddl.data.pictures.resizing import Box, nearest_part, resized_part

ROWS, COLUMNS = np.mgrid[0:12, 0:10]
PLACES = (np.stack([ROWS, COLUMNS], -1) / 12 + 1 / 24).astype(
    np.float32
)  # each pixel knows its place; none is 0


@given(index=st.integers(0, 10**6), pixels=st.integers(1, 9))
def test_a_padded_crop_is_the_picture_shifted_over_black(index: int, pixels: int) -> None:
    image, _ = Augmentation(pad_crop=pixels)(PLACES, None, seed=0, epoch=0, index=index)
    assert image.shape == PLACES.shape
    padded = np.pad(PLACES, ((pixels, pixels), (pixels, pixels), (0, 0)))
    found = [
        (top, left)
        for top in range(2 * pixels + 1)
        for left in range(2 * pixels + 1)
        if np.array_equal(image, padded[top : top + 12, left : left + 10])
    ]
    assert found


def test_padded_crops_reach_every_shift_and_take_the_mask_along() -> None:
    augmentation = Augmentation(pad_crop=1)
    seen = set()
    for index in range(200):
        image, mask = augmentation(PLACES, PLACES[..., :1] * 7, seed=0, epoch=0, index=index)
        assert mask is not None
        assert np.array_equal(mask, image[..., :1] * 7)
        seen.add(image.tobytes())
    assert len(seen) == 9


@settings(max_examples=200)
@given(
    seed=st.integers(0, 10**6),
    sides=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    scale=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(sorted),
    ratio=st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)).map(sorted),
)
def test_a_box_lies_within_the_picture(
    seed: int, sides: tuple[int, int], scale: list[float], ratio: list[float]
) -> None:
    box = draw_box(np.random.default_rng(seed), sides, tuple(scale), tuple(ratio))
    assert box.top >= 0
    assert box.left >= 0
    assert 1 <= box.height <= sides[0] - box.top
    assert 1 <= box.width <= sides[1] - box.left


def test_boxes_have_the_areas_and_the_ratios_asked_for() -> None:
    rng = np.random.default_rng(0)
    boxes = [draw_box(rng, (400, 400), (0.1, 0.4), (0.5, 2.0)) for _ in range(2000)]
    areas = np.array([box.height * box.width / 160000 for box in boxes])
    ratios = np.array([math.log2(box.width / box.height) for box in boxes])
    assert areas.min() == pytest.approx(0.1, abs=0.01)
    assert areas.max() == pytest.approx(0.4, abs=0.01)
    assert areas.mean() == pytest.approx(0.25, abs=0.01)
    assert ratios.min() == pytest.approx(-1, abs=0.05)
    assert ratios.max() == pytest.approx(1, abs=0.05)
    assert abs(ratios.mean()) < 0.05
    assert {min(box.top, box.left) for box in boxes} >= {0, 1}


def test_a_picture_too_long_for_any_box_gives_its_middle() -> None:
    rng = np.random.default_rng(0)
    assert draw_box(rng, (10, 300), (0.9, 1.0), (0.75, 4 / 3)) == Box(0, 143, 10, 13)


def test_the_whole_picture_at_its_own_size_stays_as_it_is() -> None:
    assert np.array_equal(resized_part(PLACES, Box(0, 0, 12, 10), (12, 10)), PLACES)
    assert np.array_equal(nearest_part(PLACES, Box(0, 0, 12, 10), (12, 10)), PLACES)


@given(
    box=st.builds(Box, st.integers(0, 5), st.integers(0, 4), st.integers(1, 7), st.integers(1, 6)),
    size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
)
def test_resizing_keeps_the_range_and_a_slope(box: Box, size: tuple[int, int]) -> None:
    image = resized_part(PLACES, box, size)
    part = PLACES[box.top : box.top + box.height, box.left : box.left + box.width]
    assert image.shape == (*size, 2)
    assert image.dtype == np.float32
    assert (image >= part.min((0, 1)) - 1e-6).all()
    assert (image <= part.max((0, 1)) + 1e-6).all()
    assert image.mean((0, 1)) == pytest.approx(part.mean((0, 1)), abs=1e-5)  # symmetric weights
    assert (np.diff(image[..., 0], axis=0) >= -1e-6).all()
    nearest = nearest_part(PLACES, box, size)
    assert {tuple(place) for place in nearest.reshape(-1, 2)} <= {
        tuple(place) for place in part.reshape(-1, 2)
    }


def test_shrinking_averages_over_all_pixels() -> None:
    picture = np.zeros((64, 64, 1), np.float32)
    picture[::2] = 1  # single lines: taking every 8th line would give all or nothing
    small = resized_part(picture, Box(0, 0, 64, 64), (8, 8))
    assert small[1:-1] == pytest.approx(0.5, abs=0.01)


def test_a_resized_crop_has_the_size_of_the_picture_or_of_the_crop() -> None:
    picture, mask = np.ones((40, 30, 3), np.float32), np.ones((40, 30, 1), np.uint8)
    whole, moved = Augmentation(resized_crop=True)(picture, mask, seed=0, epoch=0, index=0)
    assert moved is not None
    assert whole.shape == (40, 30, 3)
    assert moved.shape == (40, 30, 1)
    augmentation = Augmentation(resized_crop=True, crop_size=(20, 16))
    assert augmentation.crop_of(picture.shape) == (20, 16)
    small, _ = augmentation(picture, mask, seed=0, epoch=0, index=0)
    assert small.shape == (20, 16, 3)


def test_a_resized_crop_moves_picture_and_mask_alike() -> None:
    mask = np.zeros((48, 48, 1), np.float32)
    mask[10:30, 20:40] = 1
    for index in range(20):
        image, target = Augmentation(resized_crop=True)(mask, mask, seed=0, epoch=0, index=index)
        assert target is not None
        assert ((image > 0.5) == (target > 0.5)).mean() > 0.95
