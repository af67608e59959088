"""Picture and mask move together, mask values stay, and changes depend only on seed, epoch and index."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.data.batches.augmentation import Augmentation
from ddl.data.batches.augmentation.geometry import displacement
from ddl.data.pictures.synthetic_picture import microscope_picture
from ddl.data.pictures.synthetic_volume import microscope_volume
from tests.data.batches.augmentations import AUGMENTATIONS, EACH, EVERYTHING, EXACT

PICTURE, MASK = microscope_picture(1, 48)
VOLUME, CELLS = microscope_volume(1, 24)


@settings(max_examples=60, deadline=None)
@given(augmentation=AUGMENTATIONS, index=st.integers(0, 10**9), epoch=st.integers(0, 999))
def test_range_type_and_values_are_kept(augmentation: Augmentation, index: int, epoch: int) -> None:
    picture, mask = PICTURE[:20, :30].copy(), (MASK[:20, :30] * 3).astype(np.uint8)
    before = picture.copy(), mask.copy()
    image, target = augmentation(picture, mask, seed=1, epoch=epoch, index=index)
    assert target is not None
    size = augmentation.crop_size or (20, 30)
    assert image.shape == (*size, 3)
    assert target.shape == (*size, 1)
    assert image.dtype == np.float32
    assert target.dtype == np.uint8
    assert 0 <= image.min() <= image.max() <= 1
    assert set(np.unique(target)) <= {0, 3}
    assert np.array_equal(picture, before[0])
    assert np.array_equal(mask, before[1])


@given(index=st.integers(0, 10**6), epoch=st.integers(0, 99))
def test_flips_turns_and_crops_move_both_alike(index: int, epoch: int) -> None:
    picture = MASK.astype(np.float32)
    image, target = EXACT(picture, MASK, seed=0, epoch=epoch, index=index)
    assert np.array_equal(image, target)


@pytest.mark.parametrize("change", EACH[2:5])
def test_warps_move_both_alike(change: dict[str, float]) -> None:
    agreement, moved = [], []
    for index in range(20):
        image, target = Augmentation(**change)(MASK, MASK, seed=0, epoch=0, index=index)  # type: ignore[arg-type]
        assert target is not None
        agreement.append(((image > 0.5) == (target > 0.5)).mean())
        moved.append((target != MASK).mean())
    assert min(agreement) > 0.97  # bilinear against nearest, at edges
    assert np.mean(moved) > 0.03


def test_a_draw_depends_on_seed_epoch_and_index_alone() -> None:
    def drawn(seed: int, epoch: int, index: int) -> bytes:
        image, target = EVERYTHING(PICTURE, MASK, seed=seed, epoch=epoch, index=index)
        assert target is not None
        return image.tobytes() + target.tobytes()

    keys = [(s, e, i) for s in (0, 1) for e in (0, 1) for i in (0, 1)]
    forwards = {key: drawn(*key) for key in keys}
    np.random.default_rng().random()
    backwards = {key: drawn(*key) for key in reversed(keys)}
    assert forwards == backwards
    assert len(set(forwards.values())) == len(keys)


@pytest.mark.parametrize("change", EACH, ids=lambda change: next(iter(change)))
def test_each_option_has_an_effect_and_leaves_the_other_draws_alone(
    change: dict[str, object],
) -> None:
    off = Augmentation()
    image, target = off(PICTURE, MASK, seed=0, epoch=0, index=5)
    assert np.array_equal(image, PICTURE)
    assert np.array_equal(target, MASK)
    on = dataclasses.replace(off, **change)  # type: ignore[arg-type]
    images = [on(PICTURE, MASK, seed=0, epoch=0, index=i)[0] for i in range(8)]
    assert any(not np.array_equal(image, PICTURE) for image in images)
    # A later crop has the same position, with or without the option.
    if "crop_size" not in change and set(change) <= {"brightness", "contrast", "gamma", "noise"}:
        crop = {"crop_size": (16, 16), "flip": True}
        _, plain = dataclasses.replace(off, **crop)(PICTURE, MASK, seed=0, epoch=0, index=3)
        _, coloured = dataclasses.replace(on, **crop)(PICTURE, MASK, seed=0, epoch=0, index=3)  # type: ignore[arg-type]
        assert np.array_equal(plain, coloured)


def test_all_eight_flips_and_turns_come_about_equally_often() -> None:
    counts: dict[bytes, int] = {}
    picture = np.arange(16, dtype=np.float32).reshape(4, 4, 1) / 16
    for index in range(1600):
        image, _ = Augmentation(flip=True, right_angles=True)(
            picture, None, seed=0, epoch=0, index=index
        )
        counts[image.tobytes()] = counts.get(image.tobytes(), 0) + 1
    assert len(counts) == 8
    assert min(counts.values()) > 140
    assert max(counts.values()) < 260


def test_a_picture_that_is_not_square_keeps_its_shape() -> None:
    for index in range(20):
        image, _ = Augmentation(flip=True, right_angles=True)(
            PICTURE[:20], None, seed=0, epoch=0, index=index
        )
        assert image.shape == (20, 48, 3)


def test_crops_reach_every_edge_and_find_the_foreground() -> None:
    mask = np.zeros((40, 40, 1), np.uint8)
    mask[3, 37] = 1  # one pixel
    rows, columns = np.mgrid[0:40, 0:40]
    picture = np.stack([rows, columns], -1).astype(np.float32) / 40
    anywhere = Augmentation(crop_size=(10, 10), crop_foreground=0)
    corners = np.array(
        [anywhere(picture, mask, seed=0, epoch=0, index=i)[0][0, 0] * 40 for i in range(400)]
    )
    assert corners.min(0).tolist() == [0, 0]
    assert corners.max(0).tolist() == [30, 30]
    half = Augmentation(crop_size=(10, 10), crop_foreground=0.5)
    found = []
    for index in range(400):
        _, target = half(picture, mask, seed=0, epoch=0, index=index)
        assert target is not None
        found.append(target.any())
    assert 0.42 < np.mean(found) < 0.62
    surely = Augmentation(crop_size=(10, 10), crop_foreground=1)
    for index in range(50):
        _, target = surely(picture, mask, seed=0, epoch=0, index=index)
        assert target is not None
        assert target.any()
    surely(picture, np.zeros_like(mask), seed=0, epoch=0, index=0)  # no foreground: any position


@pytest.mark.parametrize("ignored", [255, -1])
def test_no_crop_is_placed_on_pixels_to_leave_out(ignored: int) -> None:
    mask = np.zeros((40, 40, 1), np.int32)
    mask[30:] = ignored
    mask[3, 37] = 1
    picture = np.zeros((40, 40, 1), np.float32)
    surely = Augmentation(crop_size=(10, 10), crop_foreground=1)
    for index in range(50):
        options = {"seed": 0, "epoch": 0, "index": index, "ignore_index": ignored}
        _, target = surely(picture, mask, **options)
        assert target is not None
        assert (target == 1).any()
    mask[3, 37] = 0
    cropped = [surely(picture, mask, **options | {"index": i})[1] for i in range(200)]
    assert not all((target == ignored).any() for target in cropped if target is not None)


@pytest.mark.parametrize("smoothness", [2.0, 12.0, 60.0])
def test_elastic_shifts_have_the_deviation_asked_for(smoothness: float) -> None:
    rng = np.random.default_rng(0)
    shifts = [displacement(rng, (64, 48), 3.0, smoothness) for _ in range(300)]
    assert np.std(shifts) == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"rotation_degrees": 181.0},
            "rotation_degrees=181.0 for augmentation. Expected: at least 0, at most 180",
        ),
        ({"zoom": -0.1}, "zoom=-0.1 for augmentation. Expected: at least 0, at most 0.9"),
        ({"noise": float("nan")}, "noise=nan"),
        (
            {"crop_foreground": 1.5},
            "crop_foreground=1.5 for augmentation. Expected: at least 0, at most 1",
        ),
        ({"elastic_smoothness_pixels": 0.0}, "Expected: above 0"),
        ({"crop_size": (0, 5)}, r"crop_size=\(0, 5\) for augmentation. Expected: at least 1"),
        ({"crop_size": 0}, "crop_size=0 for augmentation. Expected: at least 1"),
        ({"crop_size": (5,)}, r"crop_size=\(5,\). Expected: one number, height and width, or"),
    ],
)
def test_invalid_options_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Augmentation(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("picture", "mask", "crop", "message"),
    [
        (PICTURE[..., 0], None, None, "Expected: .height, width, channels. or"),
        ((PICTURE * 255).astype(np.uint8), None, None, "dtype uint8"),
        (PICTURE, MASK[:5], None, "Expected: the same height and width"),
        (PICTURE, MASK, (49, 3), "none larger than the picture"),
        (PICTURE, MASK, (3, 3, 3), "2 sides, none larger than the picture"),
        (VOLUME, CELLS, (3, 3), "3 sides, none larger than the picture"),
        (VOLUME, CELLS[:5], None, "Expected: the same height and width"),
    ],
)
def test_wrong_pictures_are_refused(
    picture: np.ndarray, mask: np.ndarray | None, crop: tuple[int, ...] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Augmentation(crop_size=crop)(picture, mask, seed=0, epoch=0, index=0)


def test_one_number_crops_every_side() -> None:
    square, both = (
        Augmentation(crop_size=size)(PICTURE, MASK, seed=0, epoch=0, index=3)
        for size in (20, (20, 20))
    )
    assert np.array_equal(square[0], both[0])


@pytest.mark.parametrize(("axes", "side"), [(("height",), 0), (("width",), 1)])
def test_flips_along_one_axis_alone(axes: tuple[str, ...], side: int) -> None:
    both = Augmentation(flip=True)
    alone = Augmentation(flip_axes=axes)
    seen = set()
    for index in range(12):
        image, target = alone(PICTURE, MASK, seed=0, epoch=0, index=index)
        is_flipped = not np.array_equal(image, PICTURE)
        assert np.array_equal(image, np.flip(PICTURE, side) if is_flipped else PICTURE)
        assert np.array_equal(target, np.flip(MASK, side) if is_flipped else MASK)
        other, _ = both(PICTURE, MASK, seed=0, epoch=0, index=index)  # the same draws
        flipped = [np.flip(image, 1 - side), image]
        assert any(np.array_equal(other, one) for one in flipped)
        seen.add(is_flipped)
    assert seen == {True, False}


def test_a_volume_flips_along_its_depth_and_a_picture_has_none() -> None:
    augmentation = Augmentation(flip_axes=("depth",))
    flipped = [augmentation(VOLUME, CELLS, seed=0, epoch=0, index=index)[0] for index in range(8)]
    assert any(np.array_equal(image, VOLUME[::-1]) for image in flipped)
    with pytest.raises(ValueError, match="only volumes have a depth"):
        augmentation(PICTURE, MASK, seed=0, epoch=0, index=0)
    with pytest.raises(
        ValueError, match=r"flip_axes='left'. Expected one of: depth, height, width"
    ):
        Augmentation(flip_axes=("left",))
    with pytest.raises(ValueError, match="flip=true and flip_axes"):
        Augmentation(flip=True, flip_axes=("width",))
