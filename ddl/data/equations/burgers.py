"""Waves of Burgers' equation u_t + u u_x = nu u_xx: states to start from, and a solver on a fine grid.

Places x and times t go from 0 to 1 and to the end of the simulation. u(0, t) = 0. The other side is open: waves leave
through it, because nothing diffuses there (u_xx = 0 at x = 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def raised_cosines(
    places: np.ndarray, frequencies: Sequence[float], weights: Sequence[float]
) -> np.ndarray:
    """Return the weighted sum of (1 - cos(2 pi c x)) / 2 over frequencies c. Each begins with 0 and lies in 0 to 1."""
    return np.asarray(
        sum(
            weight * (1 - np.cos(2 * np.pi * frequency * places)) / 2
            for frequency, weight in zip(frequencies, weights, strict=True)
        )
    )


def drawn_wave(
    places: np.ndarray, seed: Sequence[int], frequency: tuple[float, float], most: int
) -> np.ndarray:
    """Return a superposition of 1 to `most` raised cosines, drawn from the seed. Its weights add up to 1.

    Args:
        places: x, from 0 to 1.
        seed: numbers such as (seed, part, index).
        frequency: smallest and largest number of periods.
        most: largest number of cosines.
    """
    rng = np.random.Generator(np.random.PCG64(list(seed)))
    count = int(rng.integers(1, most + 1))
    frequencies = rng.uniform(*frequency, count)
    weights = rng.uniform(0.2, 1.0, count)
    return raised_cosines(places, frequencies.tolist(), (weights / weights.sum()).tolist())


def solve_burgers(
    start: np.ndarray, diffusion_coeff: float, times: np.ndarray, *, tolerance: float = 1e-6
) -> np.ndarray:
    """Return u at the times, (places, times), from a state at evenly spaced places, the first with x = 0.

    Central differences of the flux u^2 / 2 and of the diffusion, and SciPy's LSODA in time. The grid must be fine:
    a step times the largest u at most twice the coefficient, or waves get ripples.

    Raises:
        ValueError: the grid is too coarse, or the integration failed.
    """
    from scipy.integrate import solve_ivp

    spacing = 1 / (len(start) - 1)
    if spacing * np.abs(start).max() > 2 * diffusion_coeff:
        needed = int(np.ceil(np.abs(start).max() / (2 * max(diffusion_coeff, 1e-12)))) + 1
        raise ValueError(
            f"Received: {len(start)} places for diffusion_coeff={diffusion_coeff:g}. Expected: at least {needed}, or "
            "the solution has ripples."
        )

    def slope(_: float, state: np.ndarray) -> np.ndarray:
        flux = (state[:-1] + state[1:]) ** 2 / 8 - diffusion_coeff * np.diff(state) / spacing
        change = np.zeros_like(state)
        change[1:-1] = -np.diff(flux) / spacing
        change[-1] = -state[-1] * (state[-1] - state[-2]) / spacing
        return change

    state = np.array(start, np.float64)
    state[0] = 0
    found = solve_ivp(
        slope,
        (float(times[0]), float(times[-1])),
        state,
        method="LSODA",
        t_eval=times,
        rtol=tolerance,
        atol=tolerance,
        lband=1,
        uband=1,
    )
    if not found.success:
        raise ValueError(f"Received: a state that LSODA cannot integrate: {found.message}")
    return np.asarray(found.y)
