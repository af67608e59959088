"""Targets that are values: floats stay, pictures are scaled as inputs are; and classes of training decide on labels."""

from __future__ import annotations

import numpy as np
import pytest

from ddl.data.sources.arrays import Arrays
from ddl.data.sources.relabelled import relabelled
from ddl.data.value_samples import ValueSamples

PICTURES = np.zeros((3, 4, 4, 1), np.uint8)


def values_of(target: np.ndarray, name: str = "values", **options: bool) -> np.ndarray:
    source = Arrays({"image": PICTURES, name: target}, "arrays")
    return ValueSamples(source, **options).read([0, 1, 2])["values"]


@pytest.mark.parametrize(
    ("name", "stored", "expected"),
    [
        ("values", np.full((3, 4, 4, 1), 255, np.uint8), 1.0),
        ("values", np.full((3, 4, 4, 1), -7.5), -7.5),
        ("values", np.full((3, 4, 4, 1), -7, np.int16), -7.0),
        ("values", np.full((3, 2), 200, np.uint8), 200.0),  # numbers, no pictures
        ("mask", np.full((3, 4, 4, 1), 2, np.uint8), 2.0),  # class numbers
        ("label", np.full(3, 2), 2.0),
    ],
)
def test_values_are_taken_as_they_are(name: str, stored: np.ndarray, expected: float) -> None:
    found = values_of(stored, name)
    assert (found.dtype, found.shape) == (np.float32, stored.shape if stored.ndim > 1 else (3, 1))
    assert (found == expected).all()


def test_values_that_the_loss_does_not_take_are_refused() -> None:
    target = np.zeros((3, 4, 4, 1), np.float32)
    target[1, 0] = 1.5
    with pytest.raises(ValueError, match=r"values from 0 to 1\.5 in the target of sample 1"):
        values_of(target, from_0_to_1=True)
    target[2, 0] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity in the target of sample 2"):
        values_of(target)


def test_a_source_without_a_target_is_refused() -> None:
    with pytest.raises(ValueError, match="set target_data to the data"):
        ValueSamples(Arrays({"image": PICTURES}, "arrays"))


class Named(Arrays):
    """Labelled pictures with names of classes."""

    def __init__(self, *names: str) -> None:
        super().__init__({"image": PICTURES, "label": np.array([0, 1, 0])}, "arrays")
        self.class_names = names  # type: ignore[misc]


def test_labels_count_the_classes_of_training() -> None:
    source = relabelled(Named("cat", "emu"), ("ant", "cat", "dog", "emu"), "held out")
    assert source.read([0, 1, 2])["label"].tolist() == [1, 3, 1]
    column = source.read_column("label")
    assert column is not None
    assert column.tolist() == [1, 3, 1]
    assert source.class_names == ("ant", "cat", "dog", "emu")


def test_a_class_that_training_lacks_is_refused() -> None:
    with pytest.raises(
        ValueError, match="class 'emu' in held out, which the training samples lack"
    ):
        relabelled(Named("cat", "emu"), ("cat", "dog"), "held out")
    same = Named("cat", "dog")
    assert relabelled(same, ("cat", "dog", "emu"), "held out") is same
