"""The Frechet distance against closed forms, against its textbook form, and its symmetries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.training.adversarial.scores.frechet import frechet_distance, is_biased

SHAPES = st.tuples(st.integers(2, 40), st.integers(2, 40), st.integers(1, 12))
"""Two counts of samples, fewer or more than there are features, and the features."""
SEEDS = st.integers(0, 999)


def made(shape: tuple[int, int, int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two sets of features of unlike means and covariances."""
    random = np.random.default_rng(seed)
    n, m, d = shape
    first = random.normal(size=(n, d)) @ random.normal(size=(d, d))
    second = random.normal(size=(m, d)) @ random.normal(size=(d, d)) + random.normal(size=d)
    return first, second


def textbook(first: np.ndarray, second: np.ndarray) -> float:
    """Return the distance by the eigenvalues of the symmetric product of both covariances."""
    c1, c2 = (np.atleast_2d(np.cov(features, rowvar=False)) for features in (first, second))
    values, vectors = np.linalg.eigh(c1)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ c2 @ root), 0)).sum()
    shift = first.mean(axis=0) - second.mean(axis=0)
    return float(shift @ shift + np.trace(c1) + np.trace(c2) - 2 * shared)


@given(SHAPES, SEEDS)
def test_it_equals_the_textbook_form(shape: tuple[int, int, int], seed: int) -> None:
    first, second = made(shape, seed)
    # The roots of rounded zeros among eigenvalues, 1e-8, limit the textbook form, not this one.
    scale = np.var(first, axis=0).sum() + np.var(second, axis=0).sum()
    assert frechet_distance(first, second) == pytest.approx(
        textbook(first, second), abs=1e-6 * scale
    )


@given(SHAPES, SEEDS)
def test_a_set_is_at_no_distance_from_itself(shape: tuple[int, int, int], seed: int) -> None:
    first, _ = made(shape, seed)
    assert frechet_distance(first, first) <= 1e-12 * np.var(first, axis=0).sum() * 4


@given(SHAPES, SEEDS)
def test_both_directions_are_equal(shape: tuple[int, int, int], seed: int) -> None:
    first, second = made(shape, seed)
    assert frechet_distance(first, second) == pytest.approx(
        frechet_distance(second, first), rel=1e-9, abs=1e-9
    )


@given(SHAPES, SEEDS, st.floats(0.01, 100))
def test_features_in_another_unit_scale_it_by_the_square(
    shape: tuple[int, int, int], seed: int, unit: float
) -> None:
    first, second = made(shape, seed)
    one = frechet_distance(first, second)
    assert frechet_distance(unit * first, unit * second) == pytest.approx(
        unit**2 * one, rel=1e-9, abs=1e-9 * unit**2
    )


@given(st.integers(2, 50), SEEDS)
def test_one_feature_has_its_closed_form(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    first, second = random.normal(1, 2, (count, 1)), random.normal(-1, 0.5, (count + 3, 1))
    means = float(first.mean() - second.mean()) ** 2
    deviations = float(first.std(ddof=1) - second.std(ddof=1)) ** 2
    assert frechet_distance(first, second) == pytest.approx(means + deviations, rel=1e-9)


def test_a_shift_alone_is_its_square() -> None:
    first, _ = made((20, 2, 6), 3)
    assert frechet_distance(first, first + 2.0) == pytest.approx(4.0 * 6, rel=1e-12)


def test_features_that_are_not_finite_give_nan() -> None:
    first, second = made((5, 5, 3), 0)
    second[2, 1] = np.inf
    assert np.isnan(frechet_distance(first, second))


def test_as_few_samples_as_features_are_told_as_biased() -> None:
    assert (is_biased(64, 64), is_biased(65, 64)) == (True, False)


@pytest.mark.parametrize("shapes", [((1, 3), (5, 3)), ((5, 3), (5, 4)), ((5,), (5,))])
def test_sets_that_do_not_fit_are_refused(shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ValueError, match="Expected: \\(samples, features\\)"):
        frechet_distance(np.zeros(shapes[0]), np.zeros(shapes[1]))
