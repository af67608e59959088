"""Patches over a picture: places, colours, shares of ranks, the map. Pure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ddl.inference.inspection.occlusion import dealt, heat_map, occluded, patches_of
from ddl.training.record.sheets.heat_sheet import Heat, draw_heat


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 80))
def test_patches_cover_each_pixel(height: int, width: int, side: int) -> None:
    patches = patches_of((height, width, 3), side or None)
    seen = np.zeros((height, width))
    for box in patches.boxes():
        seen[box] += 1
        assert seen[box].shape == (patches.side, patches.side)
    assert (seen > 0).all()
    assert len(patches.boxes()) == len(patches)


def test_a_patch_has_the_mean_colour() -> None:
    picture = np.random.default_rng(0).random((8, 8, 3)).astype(np.float32)
    [copy] = occluded(picture, [(slice(2, 4), slice(0, 3))])
    assert copy[2, 0] == pytest.approx(picture.mean((0, 1)), rel=1e-6)
    copy[2:4, 0:3] = picture[2:4, 0:3]
    np.testing.assert_array_equal(copy, picture)


@given(st.integers(0, 100), st.integers(1, 16), st.integers(1, 6))
def test_ranks_share_batches_that_do_not_depend_on_their_number(
    count: int, size: int, ranks: int
) -> None:
    shares = [list(dealt(count, size, rank, ranks)) for rank in range(ranks)]
    together = sorted((batch for share in shares for batch in share), key=lambda batch: batch.start)
    assert together == list(dealt(count, size, 0, 1))
    assert [place for batch in together for place in batch] == list(range(count))


def test_the_map_is_hot_where_hiding_hurts() -> None:
    patches = patches_of((16, 16, 1), 4)
    drops = np.array([float(box[0].start >= 8 and box[1].start >= 8) for box in patches.boxes()])
    heat = heat_map(patches, drops)
    assert heat[15, 15] == 1.0
    assert heat[0, 0] == 0.0


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_the_sheet_is_drawn(tmp_path: Path, channels: int) -> None:
    picture = np.random.default_rng(0).normal(size=(12, 16, channels))
    heats = [
        Heat(picture, np.zeros((12, 16)), np.eye(12, 16), "a$b\nc"),
        Heat(picture, np.ones((12, 16)), None, "d"),
    ]
    draw_heat(heats, tmp_path / "heat.png", "drop of dice")
    with Image.open(tmp_path / "heat.png") as sheet:
        assert sheet.size == (780, 544)
