"""Splits and folds: every sample in one part, sizes as asked for, the same from the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.data.splits import fold_samples, split_samples


@given(
    count=st.integers(10, 2000),
    validation=st.floats(0, 0.4),
    test=st.floats(0, 0.4),
    seed=st.integers(0, 99),
)
def test_parts_have_the_sizes_asked_for(
    count: int, validation: float, test: float, seed: int
) -> None:
    splits = split_samples(count, validation, test, seed)
    assert len(splits) == count
    for part, fraction in ((1, validation), (2, test)):
        received = int((splits == part).sum())
        assert (received == 0) == (fraction == 0)
        assert abs(received - count * fraction) <= 1
    assert (splits == 0).any()
    assert np.array_equal(splits, split_samples(count, validation, test, seed))


@given(count=st.integers(10, 500), folds=st.integers(2, 9), seed=st.integers(0, 99))
def test_folds_share_all_but_the_test_split(count: int, folds: int, seed: int) -> None:
    splits = split_samples(count, 0.1, 0.1, seed)
    assigned = fold_samples(splits, min(folds, count // 2), seed)
    assert np.array_equal(assigned == -1, splits == 2)
    sizes = np.bincount(assigned[assigned >= 0])
    assert len(sizes) == min(folds, count // 2)
    assert sizes.max() - sizes.min() <= 1


def test_seeds_differ() -> None:
    assert not np.array_equal(split_samples(100, 0.3, 0, 1), split_samples(100, 0.3, 0, 2))
    none = np.zeros(100, np.uint8)
    assert not np.array_equal(fold_samples(none, 5, 1), fold_samples(none, 5, 2))


@pytest.mark.parametrize(
    ("count", "validation", "test"),
    [(10, -0.1, 0), (10, 0, 1), (10, float("nan"), 0), (10, 0.5, 0.5), (1, 0.1, 0), (2, 0.1, 0.1)],
)
def test_impossible_splits_are_refused(count: int, validation: float, test: float) -> None:
    with pytest.raises(ValueError, match=r"Received: .*Expected: "):
        split_samples(count, validation, test, 0)


@pytest.mark.parametrize("folds", [-1, 0, 1, 11])
def test_impossible_folds_are_refused(folds: int) -> None:
    with pytest.raises(ValueError, match=rf"folds={folds} for 10 samples. Expected: 2 to 10"):
        fold_samples(np.zeros(10), folds, 0)
