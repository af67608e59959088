"""Divides samples into training, validation and test splits, from a seed. Pure NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddl.ranges import Range, check_ranges

SPLITS = ("train", "validation", "test")
_RANGES = dict.fromkeys(("validation", "test"), Range(0, 1, below=True))


def split_samples(count: int, validation: float, test: float, seed: int) -> np.ndarray:
    """Return 0 (train), 1 (validation) or 2 (test) for each sample, uint8.

    The parts are rounded to whole samples; a fraction above 0 gets at least one, and so does training.
    """
    check_ranges({"validation": validation, "test": test}, _RANGES, "splits")
    if validation + test >= 1:
        raise ValueError(
            f"Received: validation={validation}, test={test}, which leave no training samples. Expected: a sum "
            "below 1."
        )
    counts = [max(1, round(count * part)) if part else 0 for part in (validation, test)]
    if sum(counts) >= count:
        raise ValueError(
            f"Received: validation={validation}, test={test} of {count} samples, which leaves no "
            "training samples. Expected: smaller fractions, or more samples."
        )
    order = np.random.Generator(np.random.PCG64([seed, count])).permutation(count)
    splits = np.zeros(count, np.uint8)
    splits[order[: counts[0]]] = 1
    splits[order[counts[0] : sum(counts)]] = 2
    return splits


def fold_samples(splits: Sequence[int] | np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Return the fold of each sample, int16: 0 to `folds` - 1, equal to within one sample; -1 in the test split."""
    rest = np.flatnonzero(np.asarray(splits) != 2)
    if not 2 <= folds <= len(rest):
        raise ValueError(
            f"Received: folds={folds} for {len(rest)} samples. Expected: 2 to {len(rest)}."
        )
    order = np.random.Generator(np.random.PCG64([seed, len(rest), folds])).permutation(len(rest))
    assigned = np.full(len(splits), -1, np.int16)
    assigned[rest[order]] = np.arange(len(rest)) % folds
    return assigned
