"""Reduce the learning rate on a plateau of the monitored value: a pure function of the history."""

from __future__ import annotations

from collections.abc import Sequence

from ddl.training.optimization.early_stopping import is_progress


def plateau_factor(
    values: Sequence[float],
    *,
    mode: str,
    factor: float = 0.1,
    patience: int = 10,
    min_delta: float = 1e-4,
    cooldown: int = 0,
    min_factor: float = 0.0,
) -> float:
    """Return the factor on the learning rate of the next epoch, as Keras's `ReduceLROnPlateau` decides it.

    One difference: a NaN never counts as an improvement, not even as the first value.

    Args:
        values: the monitored value of every epoch so far; an empty sequence gives 1.
        mode: "min" if lower is better, "max" if higher is.
        factor: multiplies the learning rate at each plateau.
        patience: epochs without improvement that count as a plateau.
        min_delta: smallest change from the best value that counts as an improvement.
        cooldown: epochs after a reduction that are not counted.
        min_factor: lower bound of the returned factor.
    """
    best, waited, cooling, found = None, 0, 0, 1.0
    for value in values:
        cooling = max(
            cooling - 1, 0
        )  # before the test below: the last epoch of a cooldown counts, as in Keras
        if is_progress(value, best, mode=mode, min_delta=min_delta):
            best, waited = value, 0
        elif not cooling:
            waited += 1
            if waited >= patience:
                found, waited, cooling = max(found * factor, min_factor), 0, cooldown
    return found
