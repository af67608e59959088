"""The way between two latent vectors begins and ends at them, and keeps their length and equal angles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.training.adversarial.samples.latent_way import spherical_way

SEEDS, DIMENSIONS, COUNTS = st.integers(0, 999), st.integers(2, 64), st.integers(2, 12)


def ends(dimensions: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.random.default_rng(seed).normal(size=(2, dimensions))
    return first, second


@given(DIMENSIONS, COUNTS, SEEDS)
def test_it_begins_and_ends_at_its_vectors(dimensions: int, count: int, seed: int) -> None:
    first, second = ends(dimensions, seed)
    way = spherical_way(first, second, count)
    assert way.shape == (count, dimensions)
    assert way[[0, -1]] == pytest.approx(np.stack([first, second]), abs=1e-4)


@given(DIMENSIONS, COUNTS, SEEDS)
def test_lengths_go_evenly_from_one_to_the_other(dimensions: int, count: int, seed: int) -> None:
    first, second = ends(dimensions, seed)
    lengths = np.linalg.norm(spherical_way(first, second, count), axis=1)
    expected = np.linspace(np.linalg.norm(first), np.linalg.norm(second), count)
    assert lengths == pytest.approx(expected, rel=1e-3)


def test_angles_are_equal() -> None:
    way = spherical_way(*ends(16, 0), 6).astype(np.float64)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    angles = np.arccos(np.sum(way[1:] * way[:-1], axis=1))
    assert angles == pytest.approx(np.full(5, angles.mean()), rel=1e-4)


@pytest.mark.parametrize("factor", [2.0, -1.0])
def test_vectors_on_one_line_get_the_straight_way(factor: float) -> None:
    first = np.arange(1, 5, dtype=np.float32)
    way = spherical_way(first, factor * first, 3)
    assert way[1] == pytest.approx((1 + factor) / 2 * first)
