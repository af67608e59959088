"""Transforms that draw: what they do, and that (seed, epoch, index) and the place in the list decide all of it."""

from __future__ import annotations

import numpy as np
import pytest

from ddl.data.batches.augmentation import Augmentation
from ddl.data.batches.batch_reader import BatchReader
from ddl.data.sources.arrays import Arrays
from ddl.data.transforms.chain import Chain
from ddl.data.transforms.parts import Drawn
from ddl.data.transforms.transformed import Transformed
from ddl.data.value_samples import ValueSamples

RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.random((12, 16, 16, 3), np.float32)


def samples(targets: np.ndarray = PICTURES) -> ValueSamples:
    return ValueSamples(Arrays({"image": PICTURES, "values": targets}, "arrays"))


def apply(
    chain: Chain, index: int = 0, epoch: int = 0, target: np.ndarray | None = None
) -> tuple[np.ndarray, ...]:
    found = chain.apply(
        PICTURES[index],
        PICTURES[index] if target is None else target,
        Drawn(1, epoch, index),
        name="values",
        moves=True,
        trains=True,
    )
    return tuple(part for part in found if part is not None)


@pytest.mark.parametrize(
    ("texts", "options"),
    [
        (["random_horizontal_flip=0.5"], {"flip_horizontal": 0.5}),
        (["random_vertical_flip=0.7"], {"flip_vertical": 0.7}),
        (["random_rotate=20"], {"rotation_degrees": 20.0}),
        (["brightness=0.3"], {"brightness": 0.3}),
        (["pad_crop=3"], {"pad_crop": 3}),
    ],
)
def test_two_spellings_give_the_same_bits(texts: list[str], options: dict[str, object]) -> None:
    indices = np.arange(12)
    plain = BatchReader(samples(), Augmentation(**options), 7)(3, indices)  # type: ignore[arg-type]
    listed = BatchReader(Transformed(samples(), Chain(both=texts), 7), trains=True)(3, indices)
    for one, other in zip(plain, listed, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "text",
    [
        "random_horizontal_flip=0.5",
        "random_rotate=30",
        "jitter_crop=0.5",
        "random_zoom=0.5",
        "pad_crop=3",
        "resized_crop=true",
        "elastic_pixels=2",
        "zoom=0.5",
    ],
)
def test_inputs_and_values_move_alike(text: str) -> None:
    chain = Chain(both=[text])
    moved = [apply(chain, index) for index in range(6)]
    assert all(np.array_equal(image, values) for image, values in moved)
    assert any(not np.array_equal(image, PICTURES[index]) for index, (image, _) in enumerate(moved))


def test_draws_depend_on_seed_epoch_index_and_place_alone() -> None:
    chain = Chain(both=["jitter_crop=0.5"])
    np.testing.assert_array_equal(apply(chain, 3, 2)[0], apply(chain, 3, 2)[0])
    assert not np.array_equal(apply(chain, 3, 2)[0], apply(chain, 3, 1)[0])
    twice = Chain(both=["random_zoom=0.5", "random_zoom=0.5"])
    assert [step.place for step in twice.steps] == [0, 1]
    drawn = [Drawn(0, 0, 0, place).generator(1).random() for place in range(2)]
    assert drawn[0] != drawn[1]


def test_a_zoom_keeps_the_middle_and_the_size() -> None:
    rows = np.linspace(-1, 1, 17)
    picture = np.hypot(rows[:, None], rows)[..., None].astype(np.float32)
    image, _ = Chain(both=["random_zoom=0.9"]).apply(
        picture, picture, Drawn(0, 0, 5), name="values", moves=True, trains=True
    )
    assert image.shape == picture.shape
    assert image[8, 8, 0] == pytest.approx(picture[8, 8, 0], abs=0.02)
    assert image.max() < picture.max()  # the edges are cut off


def test_patches_are_gone_from_inputs_and_alone_in_targets() -> None:
    chain = Chain(both=["random_patches=3,5"])
    for index in range(6):
        image, values = apply(chain, index)
        np.testing.assert_array_equal(image + values, PICTURES[index])
        gone = (image == 0).all(axis=-1)
        assert 25 <= gone.sum() <= 75
        assert (values[gone] == PICTURES[index][gone]).all()
        assert (values[~gone] == 0).all()


def test_held_out_samples_have_the_same_patches_and_no_flips() -> None:
    chain = Chain(both=["random_patches=2,4", "random_horizontal_flip=1"])
    view = Transformed(samples(), chain, seed=5)
    first = view.read([4])
    np.testing.assert_array_equal(first["image"] + first["values"], PICTURES[4:5])
    in_training = [view.read_epoch(epoch, [4])["image"] for epoch in (0, 1)]
    np.testing.assert_array_equal(in_training[0], first["image"][:, :, ::-1])
    assert not np.array_equal(*in_training)


def test_vectors_stay_while_inputs_move() -> None:
    vectors = RANDOM.random((12, 3), np.float32)
    view = Transformed(samples(vectors), Chain(both=["random_horizontal_flip=1", "resize=8x8"]), 0)
    batch = view.read_epoch(0, [1, 2])
    assert batch["image"].shape == (2, 8, 8, 3)
    np.testing.assert_array_equal(batch["values"], vectors[1:3])


@pytest.mark.parametrize(
    ("texts", "piece"),
    [
        (["random_patches=1,17"], "patches no larger than the pictures"),
        (["center_crop=20x20"], "at most their size"),
        (["convert_color=GRAY2RGB"], "Expected: 1 channels"),
    ],
)
def test_samples_that_do_not_fit_are_refused(texts: list[str], piece: str) -> None:
    with pytest.raises(ValueError, match=piece):
        Transformed(samples(), Chain(both=texts), 0)


def test_targets_of_other_sides_do_not_move_at_random() -> None:
    with pytest.raises(ValueError, match="Expected: the same sides"):
        Transformed(samples(PICTURES[:, :8]), Chain(both=["random_rotate=5"]), 0)
    resized = Transformed(samples(PICTURES[:, :8]), Chain(both=["resize=4x4"]), 0)
    assert resized.read([0])["values"].shape == (1, 4, 4, 3)
