"""The solver of Burgers' equation against exact solutions."""

from __future__ import annotations

import numpy as np
import pytest

from ddl.data.equations.burgers import drawn_wave, raised_cosines, solve_burgers


def test_the_solution_is_that_of_cole_and_hopf() -> None:
    # It is 0 at both sides, and odd around x = 1, where nothing diffuses therefore.
    nu, amplitude, places = 0.05, 0.95, np.linspace(0, 1, 257)

    def exact(time: float) -> np.ndarray:
        wave = amplitude * np.exp(-(np.pi**2) * nu * time)
        sine, cosine = np.sin(np.pi * places), np.cos(np.pi * places)
        return np.asarray(2 * nu * np.pi * wave * sine / (1 + wave * cosine))

    times = np.linspace(0, 1, 6)
    found = solve_burgers(exact(0.0), nu, times)
    expected = np.stack([exact(time) for time in times], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-3 * expected.max())


def test_a_finer_grid_changes_little() -> None:
    times = np.linspace(0, 1, 9)
    coarse, fine = (
        solve_burgers(raised_cosines(np.linspace(0, 1, count), (1.5,), (1.0,)), 0.01, times)
        for count in (201, 801)
    )
    error = np.linalg.norm(coarse - fine[::4]) / np.linalg.norm(fine[::4])
    assert error < 0.01


def test_a_coarse_grid_is_refused() -> None:
    wave = raised_cosines(np.linspace(0, 1, 11), (1.0,), (1.0,))
    with pytest.raises(ValueError, match="at least 51"):
        solve_burgers(wave, 0.01, np.linspace(0, 1, 3))


def test_waves_begin_with_0_and_stay_between_0_and_1() -> None:
    places = np.linspace(0, 1, 64)
    waves = np.stack([drawn_wave(places, (1, 0, index), (1.0, 4.0), 3) for index in range(50)])
    assert np.abs(waves[:, 0]).max() < 1e-12
    assert waves.min() >= 0
    assert 0.8 < waves.max() <= 1 + 1e-12
