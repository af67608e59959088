"""How various samples are, beside real pictures; and when a generator has collapsed to few of them. NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_COMPARED = 1000
"""Samples of each set whose distances are taken: the matrix of them grows with the square."""
NEAR = 0.05
"""Samples nearer than this part of the mean distance of real pictures are near-duplicates."""
LEAST_DIVERSITY = 0.3
MOST_DUPLICATES = 0.5


@dataclass(frozen=True)
class Diversity:
    """How various generated samples are.

    Attributes:
        ratio: their mean distance to each other, in that of real pictures. 1 is as various as these.
        duplicates: how many of them have another one that is nearly the same.
        real_duplicates: the same of the real pictures, which says what the data themselves have.
        compared: how many were compared.
    """

    ratio: float
    duplicates: int
    real_duplicates: int
    compared: int

    @property
    def has_collapsed(self) -> bool:
        """Whether the generator yields much the same picture for most latent vectors. NaN is no collapse."""
        own = max(0, self.duplicates - self.real_duplicates)
        return self.ratio < LEAST_DIVERSITY or own > MOST_DUPLICATES * self.compared

    def warning(self, epoch: int) -> str:
        """Return the line about a collapse: figures, and what to try."""
        return (
            f"Epoch {epoch}: the generator may have collapsed. Its samples differ {self.ratio:.2f} times as much as "
            f"real pictures do, and {self.duplicates} of {self.compared} have a near-duplicate "
            f"({self.real_duplicates} of the real ones). Try a lower learning rate, the loss wgan_gp, or more updates "
            "of the discriminator for each of the generator."
        )


def diversity(real: np.ndarray, generated: np.ndarray) -> Diversity:
    """Return how various samples are, from features (n, d) and (m, d) of one encoder.

    Raises:
        ValueError: a set has fewer than two samples.
    """
    count = min(len(real), len(generated), MOST_COMPARED)
    if count < 2:
        raise ValueError(
            f"Received: {len(real)} real and {len(generated)} generated samples. Expected: at least two of each."
        )
    of_real, of_generated = _distances(spread_over(real, count)), _distances(generated[:count])
    scale = _mean(of_real)
    ratio = _mean(of_generated) / scale if scale > 0 else float("nan")
    return Diversity(
        ratio,
        _duplicates(of_generated, NEAR * scale),
        _duplicates(of_real, NEAR * scale),
        count,
    )


def spread_over(samples: np.ndarray, count: int) -> np.ndarray:
    """Return so many samples, at even distances, so that all classes of an ordered set are among them."""
    return np.asarray(samples[evenly(len(samples), count)])


def evenly(length: int, count: int) -> np.ndarray:
    """Return the indices of `count` of `length` samples at even distances; all of them if there are no more."""
    count = min(count, length)
    return np.arange(count) * length // max(count, 1)


def _distances(features: np.ndarray) -> np.ndarray:
    """Return the distances (n, n) of all pairs, infinite on the diagonal."""
    values = np.asarray(features, np.float64)
    values = values - values.mean(
        axis=0
    )  # far from 0, the differences of squares would lose their digits
    squares = np.sum(values * values, axis=1)
    found: np.ndarray = np.sqrt(
        np.maximum(squares[:, None] + squares[None, :] - 2 * values @ values.T, 0)
    )
    np.fill_diagonal(found, np.inf)
    return found


def _mean(distances: np.ndarray) -> float:
    return float(distances[~np.eye(len(distances), dtype=bool)].mean())


def _duplicates(distances: np.ndarray, near: float) -> int:
    return int(np.count_nonzero(distances.min(axis=1) <= near))
