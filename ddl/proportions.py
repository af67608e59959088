"""Divides whole things, such as the samples of a batch, in proportion to weights. Pure Python."""

from __future__ import annotations

from collections.abc import Sequence


def divide(total: int, weights: Sequence[float]) -> list[int]:
    """Return whole numbers that add up to `total`, as near to the proportions of the weights as whole numbers can be.

    What rounding down leaves goes to the largest remainders, and among equals to the first ones. Whole weights are
    divided exactly.

        divide(64, [5, 5, 5, 1])  # [20, 20, 20, 4]

    Args:
        total: number of things.
        weights: one for each part, from 0 on, not all 0.
    """
    whole = sum(weights)
    parts = [int(total * weight // whole) for weight in weights]
    left = [total * weight % whole for weight in weights]
    largest = sorted(range(len(parts)), key=lambda number: (-left[number], number))
    for number in largest[: total - sum(parts)]:
        parts[number] += 1
    return parts
