"""Boxes move as a mask would that is drawn where they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ddl.boxes.rows import CORNERS, boxes_in, padded_rows
from ddl.data.batches.augmentation import Augmentation
from ddl.data.batches.augmentation.boxes import bounds_inside
from ddl.data.batches.batch_reader import BatchReader
from ddl.data.box_samples import BoxSamples, first_wrong
from ddl.data.sources import open_source

EXACT: list[dict[str, Any]] = [
    {"flip": True},
    {"flip_axes": ("height",)},
    {"flip_horizontal": 0.5, "flip_vertical": 0.5},
    {"right_angles": True},
    {"flip": True, "right_angles": True, "crop_size": (20, 24)},
    {"pad_crop": 9},
    {"crop_size": (20, 30)},
    {"crop_size": (20, 30), "crop_foreground": 1.0, "pad_crop": 5, "flip": True},
]
TURNED: list[dict[str, Any]] = [
    {"rotation_degrees": 180.0},
    {"zoom": 0.9},
    {"rotation_degrees": 30.0, "zoom": 0.4, "flip": True, "right_angles": True},
    {"rotation_degrees": 30.0, "pad_crop": 6},
]
RESIZED: list[dict[str, Any]] = [
    {"resized_crop": True},
    {"resized_crop": True, "resized_scale": (0.3, 0.9), "flip": True, "crop_size": (24, 28)},
]


@st.composite
def scenes(draw: st.DrawFn) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """Return a picture that is white in one box of whole pixels, and the box."""
    height, width = draw(st.integers(30, 50)), draw(st.integers(30, 50))
    x0, y0 = draw(st.integers(0, width - 2)), draw(st.integers(0, height - 2))
    x1, y1 = draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))
    picture = np.zeros((height, width, 1), np.float32)
    picture[y0:y1, x0:x1] = 1
    return picture, (x0, y0, x1, y1)


def moved(
    options: dict[str, Any], picture: np.ndarray, box: tuple[int, ...], index: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the augmented picture, and the box in its pixels: (0 or 1, 4)."""
    height, width, _ = picture.shape
    row = [1, *np.divide(box, (width, height, width, height)), 0]
    rows = padded_rows(np.array([row], np.float32), 3)
    augmentation = Augmentation(**options, box_visibility=0.0)
    changed, found = augmentation.with_boxes(picture, rows, seed=4, epoch=1, index=index)
    assert found.shape == rows.shape
    assert first_wrong(found[None], 2) is None
    height, width, _ = changed.shape
    return changed, boxes_in(found)[:, CORNERS] * (width, height, width, height)


def bounds(mask: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Return the box of the pixels that are set, if there are some."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return []
    return [(columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)]


@settings(deadline=None)
@given(scene=scenes(), options=st.sampled_from(EXACT), index=st.integers(0, 10**6))
def test_steps_of_whole_pixels_move_boxes_exactly(
    scene: Any, options: dict[str, Any], index: int
) -> None:
    changed, found = moved(options, *scene, index)
    assert np.allclose(found, np.reshape(bounds(changed[..., 0] > 0), (-1, 4)), atol=1e-3)


@settings(deadline=None)
@given(scene=scenes(), options=st.sampled_from(TURNED), index=st.integers(0, 10**6))
def test_a_turned_box_is_the_box_around_its_turned_pixels(
    scene: Any, options: dict[str, Any], index: int
) -> None:
    picture, box = scene
    assume(min(box[2] - box[0], box[3] - box[1]) >= 5)
    large = np.kron(picture, np.ones((8, 8, 1), np.float32))  # so that pixels are small
    options = {**options, "pad_crop": 8 * options.get("pad_crop", 0)}
    changed, found = moved(options, large, tuple(8 * side for side in box), index)
    wanted = bounds(changed[..., 0] > 0.75)
    height, width, _ = changed.shape
    for (x0, y0, x1, y1), box_found in zip(wanted, found, strict=False):
        assert np.all(np.array([x0, y0]) >= box_found[:2] - 1.5)
        assert np.all(np.array([x1, y1]) <= box_found[2:] + 1.5)
        is_cut = box_found[:2].min() <= 1 or np.any(
            box_found[2:] >= np.subtract((width, height), 1)
        )
        if not is_cut and "pad_crop" not in options:  # a cut tip may be thinner than a pixel
            assert np.allclose(box_found, (x0, y0, x1, y1), atol=3)
    assert len(wanted) <= len(found)


@settings(deadline=None)
@given(
    middle=st.tuples(st.floats(-5, 15), st.floats(-5, 15)),
    sides=st.tuples(st.floats(0.5, 12), st.floats(0.5, 12)),
    angle=st.floats(0, 6.3),
)
def test_the_box_around_a_turned_box_in_a_window_is_that_of_the_clipped_outline(
    middle: tuple[float, float], sides: tuple[float, float], angle: float
) -> None:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2 * sides @ turn + middle
    low, high = np.array([0.0, 1.0]), np.array([10.0, 7.0])
    outline = corners
    for axis in (0, 1):
        outline = clipped(outline, axis, low[axis], 1)
        outline = clipped(outline, axis, high[axis], -1)
    (found,) = bounds_inside(corners[None], low, high)
    if len(outline):
        assert np.allclose(found, [*outline.min(0), *outline.max(0)], atol=1e-6)
    else:
        assert np.min(found[2:] - found[:2]) < 1e-6


def clipped(outline: np.ndarray, axis: int, line: float, sign: int) -> np.ndarray:
    """Return the part of an outline on one side of a line (Sutherland and Hodgman)."""
    kept = []
    for one, two in zip(outline, np.roll(outline, -1, 0), strict=True):
        first, second = sign * (one[axis] - line), sign * (two[axis] - line)
        if first >= 0:
            kept.append(one)
        if first * second < 0:
            kept.append(one + (two - one) * first / (first - second))
    return np.array(kept).reshape(-1, 2)


@settings(deadline=None)
@given(scene=scenes(), options=st.sampled_from(RESIZED), index=st.integers(0, 10**6))
def test_a_resized_part_has_its_boxes(scene: Any, options: dict[str, Any], index: int) -> None:
    picture, box = scene
    large = np.kron(picture, np.ones((8, 8, 1), np.float32))
    if "crop_size" in options:
        options = {**options, "crop_size": tuple(8 * side for side in options["crop_size"])}
    changed, found = moved(options, large, tuple(8 * side for side in box), index)
    wanted = bounds(changed[..., 0] >= 0.5)
    if len(found) and np.min(found[0, 2:] - found[0, :2]) > 3:
        assert np.allclose(found, wanted, atol=3)
    else:
        assert len(wanted) <= len(found) or (changed > 0.5).mean() < 0.02


def test_the_pixels_are_those_of_a_picture_without_boxes() -> None:
    picture = np.random.default_rng(0).random((30, 40, 3), np.float32)
    augmentation = Augmentation(
        **dict.fromkeys(("flip", "right_angles"), True),
        **dict.fromkeys(("brightness", "saturation", "noise"), 0.2),
        crop_size=20, pad_crop=3, erase=0.5,
    )  # fmt: skip
    rows = padded_rows(np.zeros((0, 6)), 2)
    for index in range(8):
        drawn_from = {"seed": 1, "epoch": 2, "index": index}
        alone, _ = augmentation(picture, None, **drawn_from)
        assert np.array_equal(augmentation.with_boxes(picture, rows, **drawn_from)[0], alone)


@pytest.mark.parametrize("visibility", [0.5, 0.6, 0.9])
def test_a_box_that_is_mostly_cut_off_is_left_out(visibility: float) -> None:
    box = np.array([[0, 0.25, 0.25, 0.75, 0.75, 1]], np.float32)
    seen = []
    for index in range(40):
        augmentation = Augmentation(crop_size=20, crop_foreground=0, box_visibility=visibility)
        _, rows = augmentation.with_boxes(
            np.zeros((40, 40, 1), np.float32), box, seed=0, epoch=0, index=index
        )
        whole = Augmentation(crop_size=20, crop_foreground=0, box_visibility=0)
        _, everything = whole.with_boxes(
            np.zeros((40, 40, 1), np.float32), box, seed=0, epoch=0, index=index
        )
        x0, y0, x1, y1 = everything[0, CORNERS]
        fraction = (x1 - x0) * (y1 - y0)  # the box is as large as the crop
        assert len(boxes_in(rows)) == (fraction >= visibility)
        assert boxes_in(rows)[:, -1].tolist() == [1] * len(boxes_in(rows))
        seen.append(fraction)
    assert min(seen) < visibility
    assert max(seen) >= visibility


def test_a_crop_on_the_foreground_has_the_middle_of_a_box() -> None:
    box = np.array([[0, 0.85, 0.1, 0.95, 0.2, 0]], np.float32)
    augmentation = Augmentation(crop_size=16, crop_foreground=1)
    for index in range(20):
        picture = np.zeros((64, 64, 1), np.float32)
        _, rows = augmentation.with_boxes(picture, box, seed=0, epoch=0, index=index)
        assert len(boxes_in(rows)) == 1


@pytest.mark.parametrize(
    "option", [{"elastic_pixels": 2.0}, {"randaugment": (2, 9)}, {"central_crop": 0.9}]
)
def test_options_that_cannot_move_boxes_are_refused(option: dict[str, Any]) -> None:
    samples = BoxSamples(open_source("synthetic-boxes", count=2), 3)
    with pytest.raises(ValueError, match=rf"Received: {next(iter(option))} for samples with boxes"):
        BatchReader(samples, Augmentation(**option))


def test_a_batch_has_each_sample_with_its_own_draws() -> None:
    samples = BoxSamples(open_source("synthetic-boxes", count=6, size=48), 3)
    augmentation = Augmentation(flip=True, rotation_degrees=20, zoom=0.2, crop_size=(32, 40))
    read = BatchReader(samples, augmentation, seed=3, trains=True)
    assert [field.shape for field in read.fields] == [(32, 40, 3), (6, 6)]
    pictures, boxes = read(7, np.array([5, 0, 2]))
    for row, index in enumerate((5, 0, 2)):
        plain = samples.read([index])
        picture, moved_rows = augmentation.with_boxes(
            plain["image"][0], plain["boxes"][0], seed=3, epoch=7, index=index
        )
        assert np.array_equal(pictures[row], picture)
        assert np.array_equal(boxes[row], moved_rows)
        assert first_wrong(boxes[row : row + 1], 3) is None
