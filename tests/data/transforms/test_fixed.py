"""Transforms that draw nothing, against results worked out by hand or by NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from ddl.data.transforms.chain import Chain, apply_to_input
from ddl.data.transforms.parts import Drawn

DRAWN = Drawn(0, 0, 0)
PICTURE = np.random.default_rng(0).random((6, 8, 3), np.float32)


def test_resize_is_bilinear_at_pixel_centres_without_averaging() -> None:
    row = np.array([0, 10, 20, 30, 40, 50, 60, 70], np.float32)
    picture = np.repeat(row[None, :, None], 2, axis=0)
    # New centres lie at 0.5 (k + 0.5) * 8/2 - 0.5 = 1.5 and 5.5: halfway between two pixels, and no others count.
    assert apply_to_input(["resize=2x2"], picture)[0, :, 0].tolist() == [15, 55]
    # Enlarged: at -0.25, 0.25, 0.75, ...; the ends are held.
    wide = apply_to_input(["resize=2x16"], picture)[0, :, 0]
    assert wide[:4].tolist() == [0, 2.5, 7.5, 12.5]
    assert wide[-1] == 70
    assert not np.allclose(
        apply_to_input(["resize=1x2"], picture**2)[0, :, 0], picture[0, :, 0].mean() ** 2
    )


def test_a_mask_is_resized_by_nearest_neighbour() -> None:
    mask = np.arange(16, dtype=np.int32).reshape(4, 4, 1)
    chain = Chain(both=["resize=2x2"])
    _, found = chain.apply(PICTURE, mask, DRAWN, name="mask", moves=True, trains=False)
    assert found is not None
    assert found.dtype == np.int32
    assert found[..., 0].tolist() == [[5, 7], [13, 15]]


@pytest.mark.parametrize(("degrees", "quarters"), [(90, -1), (180, 2), (-90, 1), (0, 0)])
def test_rotation_is_clockwise(degrees: int, quarters: int) -> None:
    square = PICTURE[:, :6]
    turned = apply_to_input([f"rotate={degrees}"], square)
    np.testing.assert_allclose(turned, np.rot90(square, quarters), atol=1e-5)


def test_center_crop_keeps_the_middle() -> None:
    np.testing.assert_array_equal(apply_to_input(["center_crop=2x4"], PICTURE), PICTURE[2:4, 2:6])


def test_normalize_subtracts_and_divides() -> None:
    found = apply_to_input(["normalize=0.5,0.25"], PICTURE)
    np.testing.assert_allclose(found, (PICTURE - 0.5) / 0.25, rtol=1e-6)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("BGR2RGB", PICTURE[..., ::-1]),
        ("RGB2GRAY", PICTURE @ np.array([[0.2125], [0.7154], [0.0721]])),
        ("BGR2GRAY", PICTURE[..., ::-1] @ np.array([[0.2125], [0.7154], [0.0721]])),
    ],
)
def test_colours_are_converted(code: str, expected: np.ndarray) -> None:
    np.testing.assert_allclose(
        apply_to_input([f"convert_color={code}"], PICTURE), expected, atol=1e-6
    )


@pytest.mark.parametrize("space", ["HSV"])
def test_a_conversion_and_back_is_the_same(space: str) -> None:
    found = apply_to_input([f"convert_color=BGR2{space}", f"convert_color={space}2BGR"], PICTURE)
    np.testing.assert_allclose(found, PICTURE, atol=1e-5)


def test_the_order_counts() -> None:
    first = apply_to_input(["center_crop=4x4", "resize=8x8"], PICTURE)
    second = apply_to_input(["resize=8x8", "center_crop=4x4"], PICTURE)
    assert (first.shape, second.shape) == ((8, 8, 3), (4, 4, 3))
