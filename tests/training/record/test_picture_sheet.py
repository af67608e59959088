"""Sheets of pictures show what was true and predicted, for every kind of picture and mask, within bounds."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import Collection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ddl.data.pictures.synthetic_volume import microscope_volume
from ddl.training.record.picture_sheet import (
    as_rgb,
    draw_classification,
    draw_segmentation,
    mean_dice,
)
from tests.data.make import microscope_pictures
from tests.training.figures import drawn, size_of

__all__ = ["drawn"]

TRUTH, FOUND = "#00d5ff", "#ff8a00"


def colours(collections: list[Collection]) -> list[str]:
    return [to_hex(lines.get_edgecolor()[0]) for lines in collections]


def test_a_row_shows_picture_truth_probability_and_both(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    pictures, masks = microscope_pictures(2, 64)
    draw_segmentation(pictures, masks, masks * 0.8, tmp_path / "a.png", names=["one", "two"])
    assert size_of(tmp_path / "a.png") == (900, 507)
    picture, outline, probability, both = drawn[0].axes[:4]
    assert [picture.get_title("left"), both.get_title("right")] == ["one", "Dice 1.000"]
    assert picture.collections[:] == []
    assert colours(outline.collections) == [TRUTH]
    assert colours(both.collections) == [TRUTH, FOUND]
    np.testing.assert_allclose(probability.images[0].get_array(), masks[0, ..., 0] * 0.8)
    headings = [text.get_text() for text in drawn[0].texts]
    assert headings == ["picture", "true outline", "probability", "true and predicted"]


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.int16, bool])
def test_pictures_of_any_kind_are_shown(channels: int, dtype: type) -> None:
    rng = np.random.default_rng(0)
    picture = (rng.random((8, 9, channels)) * 200).astype(dtype)
    rgb = as_rgb(picture)
    assert rgb.shape == (8, 9, 3)
    assert rgb.min() >= 0
    assert rgb.max() <= 1
    assert dtype in (np.uint8, np.uint16, bool) or np.ptp(rgb) > 0.5  # stretched


def test_floats_from_0_to_1_are_shown_as_they_are() -> None:
    picture = np.full((4, 4, 3), 0.25, np.float32)
    np.testing.assert_array_equal(as_rgb(picture), picture)
    np.testing.assert_array_equal(as_rgb((picture * 4 * 255).astype(np.uint8)), 1.0)
    picture[0, 0, 0] = np.nan
    assert np.isfinite(as_rgb(picture)).all()


def test_classes_have_colours_and_what_was_found_has_dashes(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    pictures, _ = microscope_pictures(1, 32)
    truth = np.zeros((1, 32, 32, 1), np.int64)
    truth[0, 2:12, 2:12], truth[0, 16:30, 16:30] = 1, 2
    chances = np.eye(4, dtype=np.float32)[truth[..., 0]] * 0.5 + 0.125
    draw_segmentation(pictures, truth, chances, tmp_path / "a.png")
    _, outline, found, both = drawn[0].axes
    assert colours(outline.collections) == ["#56b4e9", "#e69f00"]
    assert colours(both.collections) == ["#56b4e9", "#56b4e9", "#e69f00", "#e69f00"]
    assert [lines.get_linestyle()[0][1] is None for lines in both.collections] == [
        True,
        False,
        True,
        False,
    ]
    shown = found.images[0].get_array()
    np.testing.assert_array_equal(shown[0, 0], 0)
    np.testing.assert_allclose(shown[5, 5] * 255, np.array([0x56, 0xB4, 0xE9]) * 0.625, atol=0.1)
    assert both.get_title("right") == "Dice 1.000"


def test_volumes_show_their_middle_and_count_whole(tmp_path: Path, drawn: list[Figure]) -> None:
    volume, mask = microscope_volume(0, 24)
    found = mask.copy()
    found[:12] = 0  # the middle slice is right, half of the others are not
    draw_segmentation(volume[None], mask[None], found[None], tmp_path / "a.png")
    shown = drawn[0].axes[2].images[0].get_array()
    np.testing.assert_array_equal(shown, mask[12, ..., 0])
    assert drawn[0].axes[3].get_title("right") == f"Dice {mean_dice(mask[..., 0], found):.3f}"
    assert mean_dice(mask[..., 0], found) < 0.95


@pytest.mark.parametrize("fill", [0.0, 1.0, np.nan])
def test_masks_without_a_border_are_no_trouble(tmp_path: Path, fill: float) -> None:
    picture = np.zeros((1, 16, 16, 1), np.float32)
    draw_segmentation(picture, picture[..., 0], np.full_like(picture, fill), tmp_path / "a.png")


@pytest.mark.parametrize(
    ("shape", "size"), [((1500, 700), (900, 572)), ((30, 900), (900, 192)), ((8, 8), (900, 507))]
)
def test_a_sheet_has_bounds_whatever_the_pictures(
    tmp_path: Path, drawn: list[Figure], shape: tuple[int, int], size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (2, *shape, 3), np.uint8)
    masks = np.zeros((2, *shape, 1), np.uint8)
    masks[:, : shape[0] // 2] = 1
    draw_segmentation(pictures, masks, masks, tmp_path / "a.png", names=["$a_b^", "\u6f22" * 99])
    assert size_of(tmp_path / "a.png") == size
    for axes in drawn[0].axes:
        assert max(axes.images[0].get_array().shape[:2]) <= 900


def test_at_most_eight_rows_and_48_tiles(tmp_path: Path, drawn: list[Figure]) -> None:
    pictures = np.zeros((60, 8, 8, 1), np.float32)
    draw_segmentation(pictures, pictures, pictures, tmp_path / "a.png")
    draw_classification(pictures, np.zeros(60), np.zeros(60), tmp_path / "b.png")
    assert [len(figure.axes) for figure in drawn] == [32, 48]
    assert max(size_of(tmp_path / "a.png") + size_of(tmp_path / "b.png")) < 2300


def test_wrong_tiles_are_red(tmp_path: Path, drawn: list[Figure]) -> None:
    pictures = np.zeros((3, 8, 8, 3), np.uint8)
    names = ["cat", "dog", "a rather long name of $x"]
    chances = np.array([[0.9, 0.1, 0.0], [0.7, 0.2, 0.1], [0.0, 0.0, 1.0]])
    draw_classification(pictures, [0, 1, 2], chances, tmp_path / "a.png", names)
    titles = [axes.title.get_text() for axes in drawn[0].axes]
    assert titles == ["cat → cat 90%", "dog → cat 70%", "a ra… $x → a ra… $x 100%"]
    assert [axes.title.get_color() for axes in drawn[0].axes] == ["#222222", "#d00000", "#222222"]
    draw_classification(pictures[..., :1], [0, 1, 9], chances[:, 1], tmp_path / "a.png", names[:2])
    titles = [axes.title.get_text() for axes in drawn[1].axes]
    assert titles == ["cat → cat 90%", "dog → cat 80%", "9 → cat 100%"]


def test_counts_that_differ_are_refused(tmp_path: Path) -> None:
    pictures = np.zeros((2, 8, 8, 1))
    with pytest.raises(ValueError, match=r"2 pictures, 1 truths, 2 predictions\. Expected"):
        draw_segmentation(pictures, pictures[:1], pictures, tmp_path / "a.png")
    with pytest.raises(ValueError, match="0 pictures"):
        draw_classification([], [], np.zeros((0, 2)), tmp_path / "a.png")


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([1, 3]))
def test_dice_is_that_of_the_metric(seed: int, channels: int) -> None:
    from ddl.training.objectives.overlap import Dice

    rng = np.random.default_rng(seed)
    truth = rng.integers(0, max(channels, 2), (4, 4)) * rng.integers(0, 2)
    chances = rng.random((4, 4, channels)).astype(np.float32) * rng.integers(0, 2)
    metric = Dice()
    metric.update_state(truth[None, ..., None].astype(np.float32), chances[None])
    assert mean_dice(truth, chances) == pytest.approx(float(metric.result()), abs=1e-6)


def test_a_written_figure_leaves_no_picture_in_memory(tmp_path: Path) -> None:
    from matplotlib.image import AxesImage

    pictures = np.random.default_rng(0).random((2, 16, 16, 1), np.float32)
    gc.collect()
    gc.disable()
    try:
        draw_segmentation(pictures, pictures > 0.5, pictures, tmp_path / "samples.png")
        left = [found for found in gc.get_objects() if isinstance(found, AxesImage)]
    finally:
        gc.enable()
    assert left == []
