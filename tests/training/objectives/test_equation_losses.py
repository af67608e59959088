"""Losses of a model's input and output against sums written by hand, and at the solutions of the equations."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddl.data.equations.burgers import drawn_wave, solve_burgers
from ddl.data.equations.diffusion_map import diffusion_map
from ddl.data.equations.poisson import poisson_energy, solve_poisson
from ddl.training.objectives.losses import build_loss, needs_input

RANDOM = np.random.default_rng(0)
SIDES = {"poisson_2d": (5, 4), "poisson_3d": (4, 3, 5)}


def energy_by_hand(nu: np.ndarray, u: np.ndarray) -> float:
    """Return the energy of one sample by loops over elements, Gauss points and corners."""
    u = u.copy()
    u[0], u[-1] = 1, 0
    axes, spacing = u.ndim, [1 / (side - 1) for side in u.shape]
    points = (0.5 - 0.5 / np.sqrt(3), 0.5 + 0.5 / np.sqrt(3))
    total = 0.0
    for cell in itertools.product(*(range(side - 1) for side in u.shape)):
        for point in itertools.product(points, repeat=axes):
            coefficient, slope = 0.0, np.zeros(axes)
            for corner in itertools.product((0, 1), repeat=axes):
                node = tuple(np.add(cell, corner))
                shape = [at if one else 1 - at for at, one in zip(point, corner, strict=True)]
                coefficient += np.prod(shape) * nu[node]
                for axis in range(axes):
                    others = np.prod([s for other, s in enumerate(shape) if other != axis])
                    slope[axis] += (1 if corner[axis] else -1) / spacing[axis] * others * u[node]
            total += 0.5**axes * np.prod(spacing) * coefficient * (slope @ slope)
    return float(total)


def values(name: str, inputs: np.ndarray, outputs: np.ndarray, **options: Any) -> np.ndarray:
    """Return the loss of each sample, of arrays without the last axis."""
    loss = build_loss(name, **options)
    return np.asarray(
        loss.call(*(tf.constant(a[..., None], tf.float64) for a in (inputs, outputs)))
    )


@pytest.mark.parametrize("name", SIDES)
def test_the_energy_is_the_sum_by_hand(name: str) -> None:
    nu, u = RANDOM.uniform(0.5, 2, (2, *SIDES[name])), RANDOM.normal(size=(2, *SIDES[name]))
    expected = [energy_by_hand(*pair) for pair in zip(nu, u, strict=True)]
    np.testing.assert_allclose(values(name, nu, u), expected, rtol=1e-10)


@pytest.mark.parametrize("name", SIDES)
def test_a_constant_coefficient_is_the_least_energy_and_the_straight_line_has_it(name: str) -> None:
    sides = SIDES[name]
    line = np.linspace(1, 0, sides[0]).reshape(-1, *[1] * (len(sides) - 1))
    fields = np.stack([np.broadcast_to(line, sides)] * 4)
    fields[1:] += RANDOM.normal(scale=0.1, size=(3, *sides))
    found = values(name, np.full(fields.shape, 3.0), fields)
    assert found[0] == pytest.approx(3.0, rel=1e-12)
    assert (found[1:] > 3.001).all()


@pytest.mark.parametrize("name", SIDES)
def test_the_energy_is_stationary_at_the_finite_element_solution(name: str) -> None:
    nu = diffusion_map(0, (6,) * len(SIDES[name]), 2)[..., 0].astype(np.float64)
    solution = solve_poisson(nu)
    outputs = tf.constant(solution[None, ..., None])
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        energy = build_loss(name).call(tf.constant(nu[None, ..., None]), outputs)
    slope = tape.gradient(energy, outputs).numpy()[0, ..., 0]
    assert float(energy[0]) == pytest.approx(poisson_energy(nu, solution), rel=1e-10)
    assert np.abs(slope[1:-1]).max() < 1e-12
    assert (slope[[0, -1]] == 0).all()  # these faces are replaced


def burgers_by_hand(
    b: np.ndarray, u: np.ndarray, nu: float, factor: float, end: float, balance: bool = True
) -> float:
    """Return the loss of one sample, (places, times), by loops."""
    places, times = u.shape
    h, dt = 1 / (places - 1), end / (times - 1)

    def flux(left: float, right: float) -> float:
        speed = (left + right) / 2
        return speed**2 / 2 - max(nu, abs(speed) * h / 2) * (right - left) / h

    def space(i: int, n: int) -> float:
        if i == places - 1:
            return float(u[i, n] * (u[i, n] - u[i - 1, n]) / h)
        return (flux(u[i, n], u[i + 1, n]) - flux(u[i - 1, n], u[i, n])) / h

    residuals = [
        [
            (u[i, n + 1] - u[i, n]) / dt + (space(i, n) + space(i, n + 1)) / 2
            for n in range(times - 1)
        ]
        for i in range(1, places)
    ]
    square = np.mean(np.square(residuals))
    if balance:
        inner = h * np.cumsum(residuals[:-1], axis=0)
        square = np.mean(inner**2) + np.mean(np.square(np.multiply(h, residuals[-1])))
    conditions = np.mean((u[:, 0] - b) ** 2) + np.mean(u[0] ** 2)
    return float(square + factor * conditions)


@pytest.mark.parametrize(("nu", "factor", "end"), [(0.0, 1.0, 1.0), (0.3, 64.0, 0.5)])
def test_burgers_is_the_mean_square_residual_by_hand(nu: float, factor: float, end: float) -> None:
    b, u = RANDOM.uniform(size=(2, 5)), RANDOM.normal(size=(2, 5, 4))
    options: dict[str, Any] = {"diffusion_coeff": nu, "boundary_factor": factor, "end_time": end}
    expected = [burgers_by_hand(*pair, nu, factor, end) for pair in zip(b, u, strict=True)]
    np.testing.assert_allclose(values("burgers", b, u, **options), expected, rtol=1e-10)
    pointwise = [burgers_by_hand(*pair, nu, factor, end, False) for pair in zip(b, u, strict=True)]
    found = values("burgers", b, u, **options, residual="pointwise")
    np.testing.assert_allclose(found, pointwise, rtol=1e-10)
    repeated = np.repeat(b[:, :, None], 4, axis=2)
    np.testing.assert_allclose(values("burgers", repeated, u, **options), expected, rtol=1e-10)


def test_the_residual_of_the_fine_solution_vanishes_as_the_grid_gets_finer() -> None:
    fine = np.linspace(0, 1, 1025)
    b = drawn_wave(fine, (0, 0, 1), (1.0, 2.0), 2)
    times = np.linspace(0, 0.5, 257)
    u = solve_burgers(b, 0.02, times)
    found = [
        values(
            "burgers", b[None, ::n], u[None, ::n, :: n // 4], diffusion_coeff=0.02, end_time=0.5
        )[0]
        for n in (32, 16, 8)
    ]
    assert found[0] > 4 * found[1] > 16 * found[2]
    still = values("burgers", b[None, ::8], 0 * u[None, ::8, ::2], diffusion_coeff=0.02)[0]
    assert found[2] < still / 100


def test_the_loss_of_a_batch_is_the_mean_over_samples() -> None:
    nu, u = RANDOM.uniform(1, 2, (3, 4, 4, 1)), RANDOM.normal(size=(3, 4, 4, 1))
    loss = build_loss("poisson_2d")
    parts = [float(loss(nu[[k]], u[[k]])) for k in range(3)]
    assert float(loss(nu, u)) == pytest.approx(np.mean(parts), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "inputs", "outputs"),
    [
        ("poisson_2d", (1, 4, 4, 4, 1), (1, 4, 4, 4, 1)),
        ("poisson_2d", (1, 4, 4, 1), (1, 4, 4, 2)),
        ("poisson_3d", (1, 4, 4, 4, 1), (1, 4, 4, 8, 1)),
        ("burgers", (1, 4, 1), (1, 5, 3, 1)),
        ("burgers", (1, 4, 1), (1, 4)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    name: str, inputs: tuple[int, ...], outputs: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=f"Received: loss {name} with inputs of shape"):
        build_loss(name).call(np.ones(inputs, np.float32), np.ones(outputs, np.float32))


def test_open_sides_are_taken_from_the_batch() -> None:
    loss = build_loss("poisson_2d")
    traced = tf.function(loss.call, input_signature=[tf.TensorSpec((None, None, None, 1))] * 2)
    nu, u = (RANDOM.uniform(1, 2, (1, 5, 4, 1)).astype(np.float32) for _ in range(2))
    assert float(traced(nu, u)[0]) == pytest.approx(float(loss.call(nu, u)[0]), rel=1e-5)


def test_which_losses_need_the_input() -> None:
    assert [needs_input(name) for name in ("poisson_2d", "burgers", "dice")] == [True, True, False]
    assert isinstance(build_loss("burgers"), keras.losses.Loss)
