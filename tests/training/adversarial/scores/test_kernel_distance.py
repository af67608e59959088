"""KID against its definition; what it does for sets of one distribution and of two."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.training.adversarial.scores.kernel_distance import (
    kernel_distance,
    squared_discrepancy,
)

SEEDS = st.integers(0, 999)


def normal(count: int, features: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (count, features))


def by_definition(first: np.ndarray, second: np.ndarray) -> float:
    """Return the mean of the kernel over all pairs of unlike samples, in loops."""

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / len(a) + 1) ** 3)

    inner = [
        np.mean([kernel(a, b) for a, b in itertools.permutations(values, 2)])
        for values in (first, second)
    ]
    between = np.mean([kernel(a, b) for a, b in itertools.product(first, second)])
    return float(sum(inner) - 2 * between)


@given(st.integers(2, 8), st.integers(2, 8), st.integers(1, 5), SEEDS)
def test_it_is_the_unbiased_estimate(n: int, m: int, features: int, seed: int) -> None:
    first, second = normal(n, features, seed), normal(m, features, seed + 1, 0.5)
    assert squared_discrepancy(first, second) == pytest.approx(
        by_definition(first, second), rel=1e-9, abs=1e-9
    )


def test_its_mean_is_zero_for_one_distribution_whatever_the_count() -> None:
    for count in (4, 40):
        values = [
            squared_discrepancy(normal(count, 4, seed), normal(count, 4, seed + 10_000))
            for seed in range(400)
        ]
        assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))


def test_its_error_is_that_of_its_mean() -> None:
    found = [kernel_distance(normal(200, 4, s), normal(200, 4, s + 10_000)) for s in range(200)]
    told = np.mean([one.error for one in found])
    assert told == pytest.approx(np.std([one.mean for one in found]), rel=0.25)


@settings(max_examples=20)
@given(SEEDS)
def test_it_grows_with_the_distance_of_distributions(seed: int) -> None:
    real = normal(300, 6, seed)
    values = [kernel_distance(real, normal(300, 6, seed + 1, shift)).mean for shift in (0, 1, 2)]
    assert values == sorted(values)


@given(st.integers(2, 120), st.integers(2, 120))
def test_subsets_share_no_sample_and_have_two_at_least(n: int, m: int) -> None:
    found = kernel_distance(normal(n, 2, 0), normal(m, 2, 1))
    assert found.subset_size >= 2
    assert found.subsets * found.subset_size <= min(n, m)


def test_a_subset_has_a_thousand_samples_at_most() -> None:
    found = kernel_distance(normal(12_100, 1, 0), normal(13_000, 1, 1))
    assert (found.subsets, found.subset_size) == (13, 930)


def test_one_subset_has_no_error() -> None:
    assert np.isnan(kernel_distance(normal(3, 2, 0), normal(3, 2, 1)).error)
