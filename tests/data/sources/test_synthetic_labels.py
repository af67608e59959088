"""Synthetic pictures with labels come from (seed, index), and can be learned from a part of them."""

from __future__ import annotations

import numpy as np
import pytest

from ddl.data.inputs_and_targets import count_classes
from ddl.data.sources import open_source
from ddl.data.sources.synthetic_labels import SyntheticLabels


def opened(**options: object) -> SyntheticLabels:
    source = open_source("synthetic-labels", **options)
    assert isinstance(source, SyntheticLabels)
    return source


def test_a_sample_comes_from_seed_and_index_alone() -> None:
    source = opened(count=40, seed=3)
    batch = source.read([7, 2])
    assert np.array_equal(batch["image"][1], source.read([2])["image"][0])
    assert not np.array_equal(batch["image"], opened(count=40, seed=4).read([7, 2])["image"])
    assert batch["label"].tolist() == [7, 2]
    assert np.array_equal(opened(count=9, seed=3).read([7])["image"][0], batch["image"][0])


@pytest.mark.parametrize(("size", "sides"), [(28, (28, 28)), ((10, 17), (10, 17))])
def test_any_size_and_number_of_classes(
    size: int | tuple[int, int], sides: tuple[int, int]
) -> None:
    source = opened(count=250, classes=200, channels=1, size=size)
    assert source.fields["image"].shape == (*sides, 1)
    assert count_classes(source) == 200
    labels = source.read_column("label")
    assert labels is not None
    assert np.array_equal(source.read(range(250))["label"], labels)
    assert set(labels) == set(range(200))


def test_test_pictures_are_others() -> None:
    train, test = opened(count=20), opened(count=20, split="test")
    assert (len(train), len(test)) == (20, 4)
    pictures = {
        picture.tobytes() for s in (train, test) for picture in s.read(range(len(s)))["image"]
    }
    assert len(pictures) == 24


def test_they_can_be_learned_by_a_linear_model_in_part() -> None:
    """Least squares on 8 x 8 means of 400 pictures finds the classes of 100 others."""
    train, test = opened(count=400, classes=5, size=32), opened(count=500, classes=5, split="test")

    def means(source: SyntheticLabels) -> np.ndarray:
        pictures = source.read(range(len(source)))["image"] / 255
        small = pictures.reshape(-1, 8, 4, 8, 4, 3).mean((2, 4)).reshape(len(source), -1)
        return np.column_stack([small, np.ones(len(source))])

    labels = train.read_column("label")
    weights, *_ = np.linalg.lstsq(means(train), np.eye(5)[labels], rcond=None)
    found = (means(test) @ weights).argmax(1)
    assert (found == test.read_column("label")).mean() > 0.9


BAD = {
    "no pictures": ({"count": 0}, "count=0 for synthetic labels. Expected: at least 1"),
    "one class": ({"classes": 1}, "classes=1 for synthetic labels. Expected: at least 2"),
    "no channel": ({"channels": 0}, "channels=0 for synthetic labels"),
    "tiny": ({"size": 2}, "size=2 for synthetic labels. Expected: at least 4"),
    "volumes": ({"size": (8, 8, 8)}, "Expected: a side, or height and width"),
    "validation": ({"split": "validation"}, "Expected one of: train, test"),
}


@pytest.mark.parametrize("case", BAD)
def test_options_that_cannot_be_get_one_line(case: str) -> None:
    options, message = BAD[case]
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        opened(**options)
