"""The middle of pictures: where it lies, and that samples and predictions take the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.data.central_crop import CentrallyCropped
from ddl.data.inputs_and_targets import ArraySamples
from ddl.data.pictures.conversion import central_crop
from ddl.data.preprocessing import Preprocessing, preprocessing_from_json

HOW = Preprocessing(target="label", channels=1, classes=2, image_size=(16, 12), central_crop=0.5)


@given(
    sides=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    fraction=st.floats(0, 1, exclude_min=True),
)
def test_the_middle_is_in_the_middle(sides: tuple[int, int], fraction: float) -> None:
    rows, columns = np.mgrid[0 : sides[0], 0 : sides[1]]
    crop = central_crop(np.stack([rows, columns], -1), fraction)
    for axis, side in enumerate(sides):
        places = crop[..., axis]
        assert crop.shape[axis] == max(1, round(side * fraction))
        assert abs(places.min() - (side - 1 - places.max())) <= 1


def test_samples_are_cropped_and_labels_stay() -> None:
    pictures = np.random.default_rng(0).random((3, 8, 6, 1), np.float32)
    samples = CentrallyCropped(ArraySamples(pictures, np.arange(3)), 0.5)
    assert samples.fields["inputs"].shape == (4, 3, 1)
    batch = samples.read([2, 0])
    assert np.array_equal(batch["inputs"], pictures[[2, 0], 2:6, 1:4])
    assert batch["targets"].tolist() == [2, 0]


def test_a_picture_file_is_resized_and_cropped_and_an_array_of_that_size_is_cropped() -> None:
    file = np.random.default_rng(0).integers(0, 255, (32, 24, 1)).astype(np.uint8)
    whole = Preprocessing(target="label", channels=1, classes=2, image_size=(16, 12))
    resized = whole.model_input(file)
    assert np.array_equal(HOW.model_input(file), resized[4:12, 3:9])
    assert np.array_equal(HOW.middle(resized), resized[4:12, 3:9])
    assert HOW.middle(HOW.middle(resized)).shape == (8, 6, 1)


def test_it_is_stored_with_the_model_and_left_out_where_there_is_none() -> None:
    assert preprocessing_from_json(HOW.to_json()) == HOW
    whole = Preprocessing(target="label", channels=1, classes=2)
    assert "central_crop" not in whole.to_json()
    assert preprocessing_from_json(whole.to_json()).central_crop == 1
    with pytest.raises(ValueError, match=r"central_crop=0.0 for preprocessing. Expected: above 0"):
        Preprocessing(target="label", channels=1, classes=2, central_crop=0.0)
