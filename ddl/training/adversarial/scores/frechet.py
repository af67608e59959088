"""The Frechet distance of two sets of features, each taken for draws of a normal distribution. NumPy alone.

    frechet_distance(real, generated)  # arrays (samples, features)

With features of InceptionV3 this is the FID. With others it is a number of its own kind: compare it only with one of
the same encoder and of as many samples.
"""

from __future__ import annotations

import numpy as np


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) in float64, of means m and covariances C.

    The trace of the root is the sum of the roots of the eigenvalues of C1^(1/2) C2 C1^(1/2), which are the singular
    values of A1 A2^T for any roots Ai^T Ai = Ci. So no covariance is inverted or even made, and sets of fewer samples
    than features, whose covariances are singular, are exact, too. Rounding stays below 1e-12 of the sum of the
    distance's own terms: a distance of two equal sets is 0 to that.

    Args:
        first: features (n, d), n at least 2.
        second: features (m, d), m at least 2.

    Returns:
        The distance, at least 0; NaN if a feature is NaN or infinite.

    Raises:
        ValueError: a set has fewer than two samples, or the sets have unlike features.
    """
    first, second = check_features(first, second)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return float("nan")
    shift = first.mean(axis=0) - second.mean(axis=0)
    roots = [_root_of_covariance(features) for features in (first, second)]
    spread = sum(float(np.sum(root * root)) for root in roots)
    shared = float(np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum())
    return max(0.0, float(shift @ shift) + spread - 2 * shared)


def check_features(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both sets in float64.

    Raises:
        ValueError: a set has fewer than two samples, or the sets have unlike features.
    """
    sets = np.asarray(first, np.float64), np.asarray(second, np.float64)
    shapes = [features.shape for features in sets]
    if (
        any(len(shape) != 2 or shape[0] < 2 for shape in shapes)
        or len({shape[-1] for shape in shapes}) > 1
    ):
        raise ValueError(
            f"Received: features of shapes {shapes[0]} and {shapes[1]}. Expected: (samples, features), at least two "
            "samples in each, and equally many features."
        )
    return sets


def is_biased(samples: int, features: int) -> bool:
    """Return whether so few samples say little about a covariance: the distance is then too large by much."""
    return samples <= features


def _root_of_covariance(features: np.ndarray) -> np.ndarray:
    """Return A with A^T A = the covariance of features (n, d), of at most d rows."""
    centred: np.ndarray = (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)
    if len(centred) <= centred.shape[1]:
        return centred
    return np.asarray(np.linalg.qr(centred, mode="r"))
