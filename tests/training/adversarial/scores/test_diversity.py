"""Diversity beside that of real pictures, and when a generator counts as collapsed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.training.adversarial.scores.diversity import diversity, evenly


def normal(count: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, (count, 8))


@given(st.floats(0.001, 1000), st.floats(-1000, 1000))
def test_it_does_not_depend_on_the_features_unit_or_zero(unit: float, zero: float) -> None:
    one = diversity(normal(30), normal(30, 1))
    other = diversity(unit * normal(30) + zero, unit * normal(30, 1) + zero)
    assert other.ratio == pytest.approx(one.ratio, rel=1e-6)
    assert other.duplicates == one.duplicates


def test_samples_as_various_as_real_pictures_have_the_ratio_one() -> None:
    found = diversity(normal(400), normal(400, 1))
    assert found.ratio == pytest.approx(1, abs=0.05)
    assert not found.has_collapsed


def test_samples_that_differ_half_as_much_have_the_ratio_a_half() -> None:
    assert diversity(normal(400), normal(400, 1, 0.5)).ratio == pytest.approx(0.5, abs=0.03)


def test_one_picture_for_all_latent_vectors_is_a_collapse() -> None:
    found = diversity(normal(50), np.ones((50, 8)))
    assert (found.ratio, found.duplicates, found.has_collapsed) == (0, 50, True)


def test_few_pictures_that_differ_well_are_a_collapse_by_their_duplicates() -> None:
    found = diversity(normal(60), np.repeat(normal(6, 1), 10, axis=0))
    assert found.ratio > 0.7
    assert (found.duplicates, found.has_collapsed) == (60, True)


def test_duplicates_among_the_real_pictures_are_no_collapse() -> None:
    real = np.repeat(normal(6, 1), 10, axis=0)
    assert not diversity(real, real[::-1]).has_collapsed


def test_the_warning_has_figures_and_what_to_try() -> None:
    line = diversity(normal(50), np.ones((50, 8))).warning(7)
    assert line.startswith("Epoch 7: ")
    assert "0.00 times" in line
    assert "50 of 50" in line
    assert "wgan_gp" in line


def test_real_pictures_without_differences_have_no_ratio() -> None:
    assert np.isnan(diversity(np.ones((9, 8)), normal(9)).ratio)


def test_sets_of_one_sample_are_refused() -> None:
    with pytest.raises(ValueError, match="at least two"):
        diversity(normal(1), normal(5))


@given(st.integers(1, 500), st.integers(1, 500))
def test_chosen_samples_are_spread_over_all(length: int, count: int) -> None:
    chosen = evenly(length, count)
    assert len({*chosen}) == min(length, count)
    assert chosen[0] == 0
    assert np.ptp(np.diff(chosen, append=length)) <= 1
