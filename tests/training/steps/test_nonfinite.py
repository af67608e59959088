"""The samples behind a loss that is NaN or infinite are found, and named as their file has them."""

from __future__ import annotations

import numpy as np

from ddl.data.inputs_and_targets import LabelSamples
from ddl.data.source import Subset
from ddl.data.sources.arrays import Arrays
from ddl.training.steps.nonfinite import listed, nonfinite_samples, origin_indices


def source(spoiled: dict[int, float]) -> Arrays:
    pictures = np.zeros((10, 4, 4, 1), np.float32)
    for index, value in spoiled.items():
        pictures[index, 1, 2] = value
    return Arrays({"image": pictures, "label": np.arange(10) % 2}, "arrays")


def test_samples_with_nan_or_infinity_are_found() -> None:
    samples = source({3: np.nan, 5: np.inf, 8: -np.inf})
    assert nonfinite_samples(samples, np.arange(1, 8)) == [3, 5]
    assert nonfinite_samples(samples, np.array([0, 1])) == []
    assert nonfinite_samples(samples, np.array([], np.int64)) == []


def test_samples_that_cannot_be_read_any_more_are_no_reason_to_fail() -> None:
    assert nonfinite_samples(source({}), np.array([99])) == []


def test_a_sample_of_a_part_of_a_part_is_named_as_its_file_has_it() -> None:
    part = Subset(Subset(source({}), [9, 7, 5, 3, 1]), [4, 2, 0])
    assert origin_indices(LabelSamples(part, classes=2), [0, 1, 2]) == [1, 5, 9]


def test_many_samples_make_a_short_text() -> None:
    assert listed([4, 2]) == "4, 2"
    assert listed(range(20)) == "0, 1, 2, 3, 4, 5, 6, 7, ..."
