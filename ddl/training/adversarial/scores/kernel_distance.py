"""KID: the unbiased squared maximum mean discrepancy of two sets of features, with a polynomial kernel. NumPy alone.

    distance = kernel_distance(real, generated)  # arrays (samples, features)
    distance.mean, distance.error

Its expected value does not depend on how many samples there are, unlike that of a Frechet distance, and is 0 for two
sets of one distribution. So a single value may be below 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ddl.training.adversarial.scores.frechet import check_features

SUBSETS = 10
LARGEST_SUBSET = 1000
"""As published; more subsets are taken of more samples."""
_LEAST_SUBSET = 2


@dataclass(frozen=True)
class KernelDistance:
    """The mean over subsets that share no sample, and its standard error; NaN where there is one subset only."""

    mean: float
    error: float
    subsets: int
    subset_size: int


def kernel_distance(
    first: np.ndarray, second: np.ndarray, *, subsets: int = SUBSETS, seed: int = 0
) -> KernelDistance:
    """Return the KID of two sets of features, in float64.

    Both sets are shuffled by `seed` and cut into subsets that share no sample. So the subsets' values are independent,
    and the standard error is one (published programs draw subsets that overlap).

    Args:
        first: features (n, d), n at least 2.
        second: features (m, d), m at least 2.
        subsets: how many; fewer where they would have less than two samples, more where they would have more
            than 1000.
        seed: of the shuffling.

    Raises:
        ValueError: a set has fewer than two samples, or the sets have unlike features.
    """
    first, second = check_features(first, second)
    count = min(len(first), len(second))
    subsets = max(1, min(subsets, count // _LEAST_SUBSET), -(-count // LARGEST_SUBSET))
    size = count // subsets
    orders = [
        np.random.Generator(np.random.Philox(key=(seed, number))).permutation(len(features))
        for number, features in enumerate((first, second))
    ]
    values = [
        squared_discrepancy(
            *(
                features[order[part * size : (part + 1) * size]]
                for features, order in zip((first, second), orders, strict=True)
            )
        )
        for part in range(subsets)
    ]
    error = float(np.std(values, ddof=1) / np.sqrt(subsets)) if subsets > 1 else float("nan")
    return KernelDistance(float(np.mean(values)), error, subsets, size)


def squared_discrepancy(first: np.ndarray, second: np.ndarray) -> float:
    """Return the unbiased squared MMD of two sets (n, d) and (m, d) with the kernel (x y / d + 1)^3."""
    n, m = len(first), len(second)
    inner = sum(
        (float(values.sum()) - float(np.trace(values))) / (count * (count - 1))
        for values, count in ((_kernel(first, first), n), (_kernel(second, second), m))
    )
    return inner - 2 * float(_kernel(first, second).mean())


def _kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    values: np.ndarray = (first @ second.T / first.shape[1] + 1) ** 3
    return values
