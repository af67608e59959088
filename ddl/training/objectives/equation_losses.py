"""Losses of a model's input and output, without targets: how far the output is from solving an equation.

Each returns one value per sample. The input stands where other losses have the target: `ddl.training` passes it there.
The equations live on the unit square or cube; the nodes of the arrays are evenly spaced, the first and the last of an
axis on the sides.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

from keras import ops

_GAUSS = 0.5 / math.sqrt(3)
"""Distance of the two Gauss points from the middle of an element of length 1."""


def poisson_2d(y_true: Any, y_pred: Any) -> Any:
    """Return the energy of a solution of div(nu grad u) = 0 on the unit square: the integral of nu |grad u|^2.

    u is 1 where the first axis begins and 0 where it ends: these two sides of the output are replaced. Nothing flows
    through the other sides. The solution of the equation has the smallest energy of all outputs.

    nu and u are interpolated linearly along each axis between the nodes (finite elements of 2x2 nodes), and integrated
    with two Gauss points along each axis, which is exact.

    Args:
        y_true: nu, the model's input, (N, H, W, 1).
        y_pred: u, the model's output, (N, H, W, 1).
    """
    return _energy(y_true, y_pred, "poisson_2d", axes=2)


def poisson_3d(y_true: Any, y_pred: Any) -> Any:
    """Return the energy as `poisson_2d` does, on the unit cube, with (N, D, H, W, 1)."""
    return _energy(y_true, y_pred, "poisson_3d", axes=3)


def burgers(
    y_true: Any,
    y_pred: Any,
    *,
    diffusion_coeff: float = 0.0,
    boundary_factor: float = 1.0,
    end_time: float = 1.0,
    residual: str = "balance",
) -> Any:
    """Return the mean square residual of u_t + u u_x = nu u_xx, plus `boundary_factor` times those of both conditions.

    x goes from 0 to 1 along the first axis, t from 0 to `end_time` along the second. The conditions are u(x, 0) = b(x)
    and u(0, t) = 0; the side x = 1 is open. The residual is taken between two times, with the mean of both (Crank and
    Nicolson), and in conservative form. Where a step is long against the coefficient, the flux is taken from the side
    that the wave comes from, as far as that keeps it free of ripples.

    Args:
        y_true: b(x), the model's input: (N, places, 1), or repeated along the times, (N, places, times, 1).
        y_pred: u(x, t), the model's output: (N, places, times, 1) or (N, places, times).
        diffusion_coeff: nu; 0 for no diffusion.
        boundary_factor: weight of the conditions against the equation; 64 is a good start.
        end_time: time of the output's last step.
        residual: "balance" integrates the residual from 0 to each x: what is there, what flows in, and what flows out
            must balance; the last place balances alone. "pointwise" takes it at each x, where the steep fronts weigh so
            much that networks flatten them.
    """
    start, solution = _checked_waves(y_true, y_pred)
    spacing, step = 1 / _elements(solution, 1), end_time / _elements(solution, 2)
    left, right = solution[:, :-1], solution[:, 1:]
    speed = (left + right) / 2
    # Central differences have ripples where |u| h exceeds 2 nu. There, this is the upwind difference.
    diffusion = ops.maximum(diffusion_coeff, ops.abs(speed) * (spacing / 2))
    flux = speed * speed / 2 - diffusion * (right - left) / spacing
    inner = (flux[:, 1:] - flux[:, :-1]) / spacing
    outer = solution[:, -1:] * (solution[:, -1:] - solution[:, -2:-1]) / spacing
    space = ops.concatenate([inner, outer], axis=1)
    rest = (solution[:, 1:, 1:] - solution[:, 1:, :-1]) / step
    rest += (space[:, :, 1:] + space[:, :, :-1]) / 2
    if residual == "balance":
        balance = ops.cumsum(rest[:, :-1], axis=1) * spacing
        # The last place transports by itself. As one of many rows it would hardly count.
        total = _mean_square(balance) + _mean_square(rest[:, -1] * spacing)
    else:
        total = _mean_square(rest)
    conditions = _mean_square(solution[:, :, 0] - start) + _mean_square(solution[:, 0])
    return total + boundary_factor * conditions


def _energy(nu: Any, solution: Any, name: str, axes: int) -> Any:
    fits = len(nu.shape) == len(solution.shape) == axes + 2 and solution.shape[-1] == 1
    if not (fits and _agree(nu.shape[1:], solution.shape[1:])):
        shape = "places, " * axes + "1"
        raise ValueError(
            f"Received: loss {name} with inputs of shape {tuple(nu.shape)} and outputs of shape "
            f"{tuple(solution.shape)}. Expected: both (samples, {shape}), of the same sides."
        )
    nu, solution = nu[..., 0], solution[..., 0]
    elements = [_elements(solution, axis) for axis in range(1, axes + 1)]
    first = ops.ones_like(solution[:, :1])
    last = ops.zeros_like(solution[:, :1])
    solution = ops.concatenate([first, solution[:, 1:-1], last], axis=1)
    energy: Any = 0.0
    for axis in range(1, axes + 1):
        others = [other for other in range(1, axes + 1) if other != axis]
        # The slope along an axis is constant there, so that of nu its mean counts.
        slope, mean = _difference(solution, axis) * elements[axis - 1], _between(nu, axis, 0.5)
        for points in itertools.product((0.5 - _GAUSS, 0.5 + _GAUSS), repeat=axes - 1):
            slope_there, mean_there = slope, mean
            for other, point in zip(others, points, strict=True):
                slope_there = _between(slope_there, other, point)
                mean_there = _between(mean_there, other, point)
            energy += ops.sum(
                mean_there * slope_there * slope_there, axis=tuple(range(1, axes + 1))
            )
    return energy / (2 ** (axes - 1) * math.prod(elements))


def _elements(values: Any, axis: int) -> Any:
    """Return how many elements lie between the nodes along an axis: a number, or a tensor where the side is open."""
    if values.shape[axis] is not None:
        return values.shape[axis] - 1
    return ops.cast(ops.shape(values)[axis] - 1, values.dtype)


def _agree(one: Any, other: Any) -> bool:
    """Return whether two shapes can be the same; None stands for any length."""
    return all(a == b or None in (a, b) for a, b in zip(one, other, strict=True))


def _between(values: Any, axis: int, part: float) -> Any:
    """Return the values interpolated between neighbours along an axis; `part` is 0 at the first of them."""
    first, second = _neighbours(values, axis)
    return (1 - part) * first + part * second


def _difference(values: Any, axis: int) -> Any:
    first, second = _neighbours(values, axis)
    return second - first


def _neighbours(values: Any, axis: int) -> tuple[Any, Any]:
    before = [slice(None)] * len(values.shape)
    after = list(before)
    before[axis], after[axis] = slice(None, -1), slice(1, None)
    return values[tuple(before)], values[tuple(after)]


def _checked_waves(start: Any, solution: Any) -> tuple[Any, Any]:
    """Return b as (N, places) and u as (N, places, times)."""
    shapes = f"inputs of shape {tuple(start.shape)} and outputs of shape {tuple(solution.shape)}"
    if len(solution.shape) == 4 and solution.shape[-1] == 1:
        solution = solution[..., 0]
    if len(start.shape) == 4:
        start = start[:, :, 0]
    fits = len(solution.shape) == 3 and len(start.shape) == 3 and start.shape[-1] == 1
    if not (fits and _agree(start.shape[1:2], solution.shape[1:2])):
        raise ValueError(
            f"Received: loss burgers with {shapes}. Expected: inputs (samples, places, 1) or (samples, places, times, "
            "1), and outputs (samples, places, times, 1), with equally many places."
        )
    return start[..., 0], solution


def _mean_square(values: Any) -> Any:
    return ops.mean(values * values, axis=tuple(range(1, len(values.shape))))
