"""The finite element solution of Poisson's equation has the properties of the exact one."""

from __future__ import annotations

import numpy as np
import pytest

from ddl.data.equations.diffusion_map import diffusion_map
from ddl.data.equations.poisson import poisson_energy, solve_poisson, stiffness_matrix

SIDES = [(9, 7), (5, 6, 4)]


def straight_line(sides: tuple[int, ...]) -> np.ndarray:
    """Return 1 to 0 along the first axis."""
    line = np.linspace(1, 0, sides[0]).reshape(-1, *[1] * (len(sides) - 1))
    return np.broadcast_to(line, sides)


@pytest.mark.parametrize("sides", SIDES)
def test_a_constant_coefficient_has_the_straight_line_and_its_energy_is_the_coefficient(
    sides: tuple[int, ...],
) -> None:
    nu = np.full(sides, 2.5)
    np.testing.assert_allclose(solve_poisson(nu), straight_line(sides), atol=1e-12)
    assert poisson_energy(nu, straight_line(sides)) == pytest.approx(2.5, rel=1e-12)


@pytest.mark.parametrize("sides", SIDES)
def test_the_slope_of_the_energy_vanishes_in_free_nodes_alone(sides: tuple[int, ...]) -> None:
    nu = diffusion_map(3, sides, 1)[..., 0].astype(np.float64)
    slope = (stiffness_matrix(nu) @ solve_poisson(nu).ravel()).reshape(sides)
    assert np.abs(slope[1:-1]).max() < 1e-12
    assert slope[0].sum() == pytest.approx(-slope[-1].sum())
    # What flows in is the energy.
    assert slope[0].sum() == pytest.approx(poisson_energy(nu, solve_poisson(nu)), rel=1e-10)


def test_a_coefficient_along_the_flow_adds_up_like_resistors() -> None:
    nu = np.repeat(np.array([1.0, 1.0, 4.0, 4.0])[:, None], 5, axis=1)
    # In an element the coefficient is linear, and its mean counts for a straight line across it.
    expected = 1 / np.mean(1 / np.array([1.0, 2.5, 4.0]))
    assert poisson_energy(nu, solve_poisson(nu)) == pytest.approx(expected, rel=1e-10)


def test_maps_are_positive_differ_and_depend_on_the_index_alone() -> None:
    maps = [diffusion_map(index, (12, 12), 5, contrast=1.5) for index in range(3)]
    assert all(np.abs(np.log(one)).max() == pytest.approx(1.5, rel=1e-5) for one in maps)
    assert not np.allclose(maps[0], maps[1])
    np.testing.assert_array_equal(diffusion_map(2, (12, 12), 5, contrast=1.5), maps[2])
