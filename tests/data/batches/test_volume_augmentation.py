"""Volume and mask move together, in all three axes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.data.batches.augmentation import Augmentation
from ddl.data.batches.augmentation.geometry import displacement
from ddl.data.pictures.synthetic_volume import microscope_volume
from tests.data.batches.augmentations import AUGMENTATIONS, EACH

VOLUME, CELLS = microscope_volume(1, 24)


@settings(max_examples=25, deadline=None)
@given(augmentation=AUGMENTATIONS, index=st.integers(0, 10**9), crop=st.none() | st.integers(1, 10))
def test_volumes_keep_range_type_and_values(
    augmentation: Augmentation, index: int, crop: int | None
) -> None:
    everywhere = dataclasses.replace(augmentation, crop_size=crop)
    volume, mask = VOLUME[:10, :12, :14], (CELLS[:10, :12, :14] * 3).astype(np.int32)
    image, target = everywhere(volume, mask, seed=1, epoch=0, index=index)
    assert target is not None
    assert image.shape == target.shape == (*((crop,) * 3 if crop else (10, 12, 14)), 1)
    assert image.dtype == np.float32
    assert target.dtype == np.int32
    assert 0 <= image.min() <= image.max() <= 1
    assert set(np.unique(target)) <= {0, 3}


def test_flips_turns_and_crops_move_volume_and_mask_alike() -> None:
    exact = Augmentation(flip=True, right_angles=True, crop_size=(8, 20, 12))
    for index in range(20):
        image, target = exact(CELLS, CELLS, seed=0, epoch=0, index=index)
        assert np.array_equal(image, target)
        assert image.shape == (8, 20, 12, 1)


@pytest.mark.parametrize("change", EACH[2:5])
def test_warps_move_volume_and_mask_alike(change: dict[str, float]) -> None:
    agreement, moved = [], []
    for index in range(8):
        image, target = Augmentation(**change)(CELLS, CELLS, seed=0, epoch=0, index=index)  # type: ignore[arg-type]
        assert target is not None
        agreement.append(((image > 0.5) == (target > 0.5)).mean())
        moved.append((target != CELLS).mean())
    assert min(agreement) > 0.96
    assert np.mean(moved) > 0.01


@pytest.mark.parametrize(
    ("flip", "shape", "ways"),
    [(False, (3, 3, 3), 24), (True, (2, 2, 2), 48), (False, (3, 2, 2), 4), (True, (2, 3, 5), 8)],
)
def test_volumes_are_turned_and_flipped_in_all_ways_equally_often(
    flip: bool, shape: tuple[int, int, int], ways: int
) -> None:
    """A cube has 24 rotations, 48 with mirror images; a box keeps its shape."""
    volume = np.arange(np.prod(shape), dtype=np.float32).reshape(*shape, 1) / 100
    augmentation = Augmentation(flip=flip, right_angles=True)
    counts: dict[bytes, int] = {}
    for index in range(60 * ways):
        image, _ = augmentation(volume, None, seed=0, epoch=0, index=index)
        assert image.shape == volume.shape
        counts[image.tobytes()] = counts.get(image.tobytes(), 0) + 1
    assert len(counts) == ways
    assert 25 < min(counts.values()) <= max(counts.values()) < 110


def test_a_volume_is_rotated_in_space_by_no_more_than_asked_for() -> None:
    places = np.stack(np.meshgrid(*[np.arange(9.0)] * 3, indexing="ij"), -1).astype(np.float32)
    bent = []
    for index in range(30):
        image, _ = Augmentation(rotation_degrees=30)(places / 8, None, seed=0, epoch=0, index=index)
        # The values are coordinates: where the centre's neighbours come from tells the rotation.
        axes = [image[5, 4, 4], image[4, 5, 4], image[4, 4, 5]] - image[4, 4, 4]
        turn = np.array(axes) * 8
        assert turn @ turn.T == pytest.approx(np.eye(3), abs=1e-4)
        bent.append(np.degrees(np.arccos((np.trace(turn) - 1) / 2)))
        assert np.linalg.det(turn) == pytest.approx(1, abs=1e-4)
    assert max(bent) < 30.01
    assert np.mean(bent) > 8
    out_of_plane = abs(np.degrees(np.arcsin(turn[0, 1:])))
    assert out_of_plane.max() > 1


def test_elastic_shifts_of_volumes_have_the_deviation_asked_for() -> None:
    rng = np.random.default_rng(0)
    shifts = [displacement(rng, (16, 20, 24), 3.0, 2.0) for _ in range(20)]
    assert np.shape(shifts[0]) == (3, 16, 20, 24)
    assert np.std(shifts) == pytest.approx(3, rel=0.1)


def test_crops_of_volumes_find_the_foreground() -> None:
    mask = np.zeros((20, 20, 20, 1), np.uint8)
    mask[3, 17, 8] = 1
    volume = np.zeros((20, 20, 20, 1), np.float32)
    surely = Augmentation(crop_size=5, crop_foreground=1)
    for index in range(30):
        _, target = surely(volume, mask, seed=0, epoch=0, index=index)
        assert target is not None
        assert target.sum() == 1
