"""The finite element solution of div(nu grad u) = 0, with u = 1 where the first axis begins and 0 where it ends.

Nodes of an array are nodes of the elements: 2x2 or 2x2x2 of them make an element of the unit square or cube, in which
nu and u are interpolated linearly along each axis. Nothing flows through the other sides. Integrals are computed with
two Gauss points along each axis, which is exact here.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

GAUSS = (0.5 - 0.5 / np.sqrt(3), 0.5 + 0.5 / np.sqrt(3))
"""The two points in an element from 0 to 1. Both have the weight 1/2."""


def solve_poisson(nu: np.ndarray) -> np.ndarray:
    """Return the solution for a map of coefficients at the nodes, (H, W) or (D, H, W): float64 of that shape."""
    from scipy.sparse.linalg import spsolve

    stiffness = stiffness_matrix(nu)
    solution = np.zeros(nu.shape)
    solution[0] = 1
    free = np.zeros(nu.shape, bool)
    free[1:-1] = True
    chosen = np.flatnonzero(free)
    inner = stiffness[chosen]
    right = -(inner @ solution.ravel())
    solution.ravel()[chosen] = spsolve(inner[:, chosen].tocsc(), right)
    return solution


def poisson_energy(nu: np.ndarray, solution: np.ndarray) -> float:
    """Return the integral of nu |grad u|^2, which the solution makes smallest."""
    values = np.asarray(solution, np.float64).ravel()
    return float(values @ (stiffness_matrix(nu) @ values))


def stiffness_matrix(nu: np.ndarray) -> Any:
    """Return the sparse matrix K for which u K u is the energy of u, for a map of coefficients at the nodes."""
    from scipy.sparse import coo_matrix

    axes = nu.ndim
    corners = list(itertools.product((0, 1), repeat=axes))
    spacing = np.array([1 / (side - 1) for side in nu.shape])
    numbers = np.arange(nu.size).reshape(nu.shape)
    of_cells = np.stack([_at_corner(numbers, corner).ravel() for corner in corners], axis=1)
    nu_of_cells = np.stack([_at_corner(nu, corner).ravel() for corner in corners], axis=1)
    matrices = np.zeros((len(of_cells), len(corners), len(corners)))
    for point in itertools.product(GAUSS, repeat=axes):
        shapes, slopes = _shape_functions(point, corners)
        slopes = slopes / spacing
        weight = np.prod(spacing) / 2**axes
        matrices += weight * np.einsum("e,ia,ja->eij", nu_of_cells @ shapes, slopes, slopes)
    rows = np.repeat(of_cells, len(corners), axis=1).ravel()
    columns = np.tile(of_cells, (1, len(corners))).ravel()
    return coo_matrix((matrices.ravel(), (rows, columns)), shape=(nu.size, nu.size)).tocsr()


def _at_corner(values: np.ndarray, corner: tuple[int, ...]) -> np.ndarray:
    """Return the values at one corner of all elements."""
    return values[tuple(slice(1, None) if one else slice(None, -1) for one in corner)]


def _shape_functions(
    point: tuple[float, ...], corners: list[tuple[int, ...]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return each corner's shape function at a point of the element, (corners,), and its slopes, (corners, axes)."""
    factors = np.array(
        [
            [at if one else 1 - at for at, one in zip(point, corner, strict=True)]
            for corner in corners
        ]
    )
    signs = np.where(np.array(corners), 1.0, -1.0)
    slopes = [
        signs[:, axis] * np.prod(np.delete(factors, axis, axis=1), axis=1)
        for axis in range(len(point))
    ]
    return np.prod(factors, axis=1), np.stack(slopes, axis=1)
