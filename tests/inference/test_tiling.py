"""The weights of all tiles add up to 1 at every pixel, and one tile equals the whole picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.inference.tiles.tiling import Axis, plan_axis, predict_tiles

AXES = st.builds(
    lambda multiple, tiles, side, overlap: (multiple * tiles, multiple, side, overlap),
    st.sampled_from([1, 2, 4, 16]),
    st.integers(1, 9),
    st.integers(1, 300),
    st.integers(0, 64),
)


def plan(sides: Sequence[int], tiles: Sequence[int], **options: int) -> tuple[Axis, ...]:
    return tuple(plan_axis(s, tile=tile, **options) for s, tile in zip(sides, tiles, strict=True))


def same(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float32)


@given(AXES)
def test_weights_add_up_to_one_and_tiles_start_on_the_grid(axis_of) -> None:
    tile, multiple, side, overlap = axis_of
    try:
        axis = plan_axis(side, tile=tile, overlap=overlap, multiple=multiple)
    except ValueError:
        assert (tile - overlap) < multiple  # the only combination that is refused here
        return
    sums = np.zeros(axis.padded)
    weights = axis.weights()
    for start, share in zip(axis.starts, weights, strict=True):
        sums[start : start + axis.tile] += share
    np.testing.assert_allclose(sums, 1, atol=1e-12)
    assert weights.min() >= 0
    assert all(start % multiple == 0 for start in axis.starts)
    assert axis.padded % multiple == 0 <= axis.padded - side
    assert axis.padded - side < multiple
    overlaps = [a + axis.tile - b for a, b in zip(axis.starts, axis.starts[1:], strict=False)]
    assert all(one >= min(overlap, axis.tile) for one in overlaps)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=3),
    st.integers(0, 6),
    st.integers(1, 5),
    st.integers(0, 2**31),
)
def test_tiles_of_a_pixelwise_model_reproduce_the_picture(sides, overlap, batch, seed) -> None:
    """Tiles, bands and mirrored edges leave no traces; constants stay constant."""
    picture = np.random.default_rng(seed).random((*sides, 2), np.float32)
    axes = plan(sides, [8] * len(sides), overlap=overlap, multiple=2)
    found = np.full(picture.shape, np.nan, np.float32)
    at = 0
    for start, band in predict_tiles(picture, axes, lambda tiles: tiles, same, batch):
        assert start == at
        found[start : start + len(band)] = band
        at += len(band)
    assert at == sides[0]
    np.testing.assert_allclose(found, picture, atol=1e-6)


def test_one_tile_equals_the_whole_picture_bit_for_bit() -> None:
    picture = np.random.default_rng(0).random((21, 30, 3), np.float32)
    axes = plan((21, 30), (32, 32), overlap=8, multiple=4)
    seen: list[np.ndarray] = []

    def predict(tiles: np.ndarray) -> np.ndarray:
        seen.append(tiles)
        return np.cbrt(tiles)

    ((start, found),) = predict_tiles(picture, axes, predict, same, 1)
    assert (start, [axis.starts for axis in axes]) == (0, [(0,), (0,)])
    np.testing.assert_array_equal(found, np.cbrt(picture))
    # Mirrored exactly up to the model's multiple.
    mirrored = np.pad(picture, ((0, 3), (0, 2), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(seen[0][0], mirrored)


def test_outer_parts_of_tiles_count_only_at_the_edges() -> None:
    axis = plan_axis(100, tile=40, overlap=16, multiple=2)
    weights = axis.weights()
    assert axis.starts == (0, 24, 48, 60)
    assert np.all(
        weights[0, :30] == 1
    )  # 24 pixels that only this tile has, then 6 that the other drops
    assert np.all(weights[0, 34:] == 0)
    assert np.all(weights[1, :6] == 0)
    assert np.all(np.diff(weights[1, 6:12]) >= 0)
    assert weights[-1, -1] == 1


def test_only_one_band_is_read_at_a_time() -> None:
    class Counted:
        shape, dtype = (1000, 20, 1), np.dtype(np.uint8)
        most = 0

        def __getitem__(self, rows: slice) -> np.ndarray:
            Counted.most = max(Counted.most, rows.stop - rows.start)
            return np.zeros((rows.stop - rows.start, 20, 1), np.uint8)

    axes = plan((1000, 20), (32, 16), overlap=8, multiple=4)
    bands = list(predict_tiles(Counted(), axes, lambda tiles: tiles, same, 4))
    assert Counted.most == 32
    assert max(len(band) for _, band in bands) == 32


@pytest.mark.parametrize(("tile", "overlap"), [(30, 8), (32, 32), (32, 20), (32, -1), (16, 0)])
def test_tiles_that_do_not_fit_the_model_are_refused(tile: int, overlap: int) -> None:
    with pytest.raises(
        ValueError,
        match=r"Received: tile=\d+, overlap=-?\d+\. Expected: a tile that is a multiple of 16",
    ):
        plan_axis(100, tile=tile, overlap=overlap, multiple=16, least=32)
