"""A learning rate that falls where a value stops to improve: a function of the values so far, not of a memory."""

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
    """Return what the learning rate of the next epoch is multiplied by, as Keras's `ReduceLROnPlateau` would have it.

    But for one thing: a NaN is never progress, not even as the first value.

    Args:
        values: what is watched, a value an epoch from the first epoch on; none yet gives 1.
        mode: "min" where less is better, "max" where more is.
        factor: what a plateau multiplies the learning rate by.
        patience: epochs without progress that make a plateau.
        min_delta: what progress is at least, by which a value must beat the best one.
        cooldown: epochs after a reduction that do not count.
        min_factor: the share of the learning rate that is always left.
    """
    best, waited, cooling, found = None, 0, 0, 1.0
    for value in values:
        cooling = max(cooling - 1, 0)  # so the last epoch of a cooldown counts already, as in Keras
        if is_progress(value, best, mode=mode, min_delta=min_delta):
            best, waited = value, 0
        elif not cooling:
            waited += 1
            if waited >= patience:
                found, waited, cooling = max(found * factor, min_factor), 0, cooldown
    return found
