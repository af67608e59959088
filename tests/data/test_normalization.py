"""Mean and deviation of each channel: exact sums, whatever rank reads which samples."""

from __future__ import annotations

import functools
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.data.batches.augmentation import Augmentation
from ddl.data.batches.batch_reader import BatchReader
from ddl.data.inputs_and_targets import ArraySamples
from ddl.data.normalization import Normalization, sum_channels
from ddl.data.preprocessing import Preprocessing, preprocessing_from_json
from ddl.data.sharding import shard_bounds

PICTURES = np.random.default_rng(3).uniform(-1, 3, (37, 5, 6, 3)).astype(np.float32)
HOW = {"target": "label", "channels": 2, "classes": 3}


def found(pictures: np.ndarray, size: int) -> Normalization:
    """Return what `size` ranks find together."""
    samples = ArraySamples(pictures, np.zeros(len(pictures)))
    bounds = [shard_bounds(len(samples), rank, size) for rank in range(size)]
    parts = [sum_channels(samples, *part) for part in bounds]
    return functools.reduce(operator.add, parts).normalization()


@given(size=st.integers(1, 40))
def test_any_number_of_ranks_finds_the_same_bits(size: int) -> None:
    assert found(PICTURES, size) == found(PICTURES, 1)


def test_it_is_the_mean_and_the_deviation_over_all_pixels() -> None:
    one, exact = found(PICTURES, 1), PICTURES.astype(np.float64)
    assert one.mean == pytest.approx(exact.mean((0, 1, 2)), rel=1e-14)
    assert one.deviation == pytest.approx(exact.std((0, 1, 2)), rel=1e-14)
    changed = one.apply(PICTURES)
    assert changed.dtype == np.float32
    assert np.abs(changed.mean((0, 1, 2))).max() < 1e-6
    assert changed.std((0, 1, 2)) == pytest.approx([1, 1, 1], rel=1e-5)


def test_a_large_mean_costs_the_deviation_nothing() -> None:
    far = (PICTURES.astype(np.float64) + 4096).astype(np.float32)
    assert found(far, 3).deviation == pytest.approx(far.astype(np.float64).std((0, 1, 2)), rel=1e-9)


def test_a_constant_channel_becomes_0() -> None:
    pictures = PICTURES.copy()
    pictures[..., 1] = 0.3
    normalization = found(pictures, 2)
    assert normalization.deviation[1] == 1
    assert np.abs(normalization.apply(pictures)[..., 1]).max() < 1e-7


def test_inputs_are_normalized_after_their_augmentation() -> None:
    samples = ArraySamples(np.clip(PICTURES, 0, 1), np.arange(37))
    darker, how = Augmentation(brightness=0.5), Normalization((0.5,) * 3, (0.25,) * 3)
    indices = np.array([4, 30])
    plain, labels = BatchReader(samples, darker, 1)(2, indices)
    changed, same = BatchReader(samples, darker, 1, normalization=how)(2, indices)
    np.testing.assert_array_equal(changed, how.apply(plain))
    np.testing.assert_array_equal(labels, same)


def test_a_preprocessing_keeps_it_and_earlier_versions_read_one_without() -> None:
    how = Preprocessing(**HOW, mean=(0.1, 0.2), deviation=(0.3, 0.4))
    assert preprocessing_from_json(how.to_json()) == how
    assert how.normalization == Normalization((0.1, 0.2), (0.3, 0.4))
    assert not {"mean", "deviation"} & set(Preprocessing(**HOW).to_dict())


@pytest.mark.parametrize(
    ("mean", "deviation"),
    [((0.1, 0.2), None), (None, (1.0, 1.0)), ((0.1,), (1.0, 1.0)), ((0.1, 0.2), (1.0, 0.0))],
)
def test_numbers_that_are_not_those_of_the_channels_are_refused(mean, deviation) -> None:
    with pytest.raises(ValueError, match=r"for 2 channels. Expected: one finite number of each"):
        Preprocessing(**HOW, mean=mean, deviation=deviation)
