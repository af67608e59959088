"""A grid has each picture at its place, enlarged by whole pixels, in a file that appears whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddl.training.adversarial.samples.grid import GAP_PX, draw_grid, mosaic


def levels(count: int, sides: tuple[int, int] = (8, 8), channels: int = 1) -> np.ndarray:
    """Return pictures of one brightness each."""
    values = np.linspace(0, 0.9, count, dtype=np.float32)
    return np.broadcast_to(values[:, None, None, None], (count, *sides, channels))


def test_pictures_stand_row_after_row() -> None:
    whole = mosaic(levels(6), 3)
    cell = 48 + GAP_PX
    found = [
        [whole[cell * row + 25, cell * column + 25, 0] for column in range(3)] for row in (0, 1)
    ]
    assert found == pytest.approx(np.linspace(0, 0.9, 6).reshape(2, 3))


def test_large_pictures_keep_their_pixels() -> None:
    picture = np.random.default_rng(0).random((1, 60, 70, 3)).astype(np.float32)
    assert (mosaic(picture, 1)[GAP_PX:-GAP_PX, GAP_PX:-GAP_PX] == picture[0]).all()


def test_values_beyond_black_and_white_are_cut_off() -> None:
    whole = mosaic(np.float32([-1, 2, np.nan])[:, None, None, None] * np.ones((3, 48, 48, 1)), 3)
    assert [whole[20, 20 + 50 * n, 0] for n in range(3)] == [0, 1, 0]


def test_the_file_has_the_pixels_of_the_mosaic(tmp_path: Path) -> None:
    draw_grid(levels(6), 3, tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as picture:
        pixels = np.asarray(picture.convert("RGB"), np.float32) / 255
    whole = mosaic(levels(6), 3)
    assert pixels.shape == whole.shape
    assert np.abs(pixels - whole).max() < 0.01


def test_titles_stand_left_of_their_rows(tmp_path: Path) -> None:
    draw_grid(levels(4), 2, tmp_path / "grid.png", ["zero", "one"])
    with Image.open(tmp_path / "grid.png") as picture:
        pixels = np.asarray(picture.convert("L"))
    beside = pixels[:, :60]
    halves = beside[: len(beside) // 2], beside[len(beside) // 2 :]
    assert max(half.min() for half in halves) < 128
