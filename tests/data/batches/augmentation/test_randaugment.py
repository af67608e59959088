"""Each operation of RandAugment: its effect at full strength, none at 0, and what always holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.data.batches.augmentation import Augmentation
from ddl.data.batches.augmentation.randaugment import OPERATIONS

PICTURE = (np.random.default_rng(0).integers(20, 200, (16, 12, 3)) / 255).astype(np.float32)
WITHOUT_STRENGTH = ("identity", "auto_contrast", "equalize")
DIRECTED = [name for name in OPERATIONS if name not in (*WITHOUT_STRENGTH, "solarize", "posterize")]


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(list(OPERATIONS)),
    strength=st.floats(-3, 3),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 2, 3])),
    seed=st.integers(0, 99),
)
def test_size_type_and_range_are_kept(
    name: str, strength: float, shape: tuple[int, ...], seed: int
) -> None:
    picture = np.random.default_rng(seed).random(shape, np.float32)
    before = picture.copy()
    image = OPERATIONS[name](picture, strength)
    assert image.shape == shape
    assert image.dtype == np.float32
    assert -1e-6 <= image.min() <= image.max() <= 1 + 1e-6
    assert np.array_equal(picture, before)


def test_there_are_the_fourteen_published_operations() -> None:
    assert len(OPERATIONS) == 14


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in WITHOUT_STRENGTH])
def test_no_strength_changes_nothing_and_full_strength_does(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation(PICTURE, 0.0) == pytest.approx(PICTURE, abs=1e-6)
    assert np.abs(operation(PICTURE, 1.0) - PICTURE).max() > 0.02


@pytest.mark.parametrize("name", DIRECTED)
def test_the_two_directions_differ(name: str) -> None:
    assert not np.allclose(OPERATIONS[name](PICTURE, 0.9), OPERATIONS[name](PICTURE, -0.9))


def test_contrast_and_levels_use_the_whole_range() -> None:
    stretched = OPERATIONS["auto_contrast"](PICTURE, 0)
    assert stretched.min((0, 1)).tolist() == [0, 0, 0]
    assert stretched.max((0, 1)).tolist() == [1, 1, 1]
    ramp = np.linspace(0, 0.25, 256, dtype=np.float32).reshape(16, 16, 1)
    flat = OPERATIONS["equalize"](ramp, 0)
    assert np.histogram(flat, 4, (0, 1))[0] == pytest.approx([64] * 4, abs=8)
    even = np.full((5, 5, 1), 0.3, np.float32)
    for name in ("auto_contrast", "equalize"):
        assert OPERATIONS[name](even, 0) == pytest.approx(even, abs=1 / 255)


def test_posterize_keeps_four_bits_and_solarize_inverts_all_at_full_strength() -> None:
    levels = np.unique(np.rint(OPERATIONS["posterize"](PICTURE, 1.0) * 255)).astype(int)
    assert not (levels % 16).any()
    assert OPERATIONS["solarize"](PICTURE, -1.0) == pytest.approx(1 - PICTURE)


def test_translations_move_by_whole_pixels_and_leave_grey() -> None:
    right = OPERATIONS["translate_x"](PICTURE, 1.0)  # 0.45 of 12 pixels
    assert np.array_equal(right[:, 5:], PICTURE[:, :-5])
    assert (right[:, :5] == 0.5).all()
    up = OPERATIONS["translate_y"](PICTURE, -1.0)
    assert np.array_equal(up[:-7], PICTURE[7:])
    assert (OPERATIONS["translate_x"](PICTURE, 3.0) == 0.5).all()


def test_a_rotation_turns_about_the_centre() -> None:
    picture = np.zeros((21, 21, 1), np.float32)
    picture[10] = 1
    turned = OPERATIONS["rotate"](picture, 3.0)  # 90 degrees
    assert turned[1:-1, 10, 0] == pytest.approx(np.ones(19), abs=1e-6)


def test_all_operations_are_drawn_and_depend_on_seed_epoch_and_index_alone() -> None:
    augmentation = Augmentation(randaugment=(2, 9))
    images = [augmentation(PICTURE, None, seed=0, epoch=0, index=i)[0] for i in range(50)]
    assert len({image.tobytes() for image in images}) > 40
    again, _ = augmentation(PICTURE, None, seed=0, epoch=0, index=49)
    assert np.array_equal(again, images[-1])
    single = Augmentation(randaugment=(1, 10))
    found = {single(PICTURE, None, seed=0, epoch=0, index=i)[0].tobytes() for i in range(400)}
    expected = {
        operation(PICTURE, sign).tobytes() for operation in OPERATIONS.values() for sign in (-1, 1)
    }
    assert found == expected
