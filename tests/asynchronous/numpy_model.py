"""A classifier of two layers in NumPy, and the weights behind the server that train it, for tests in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ddl.asynchronous.ages import step_factors
from ddl.asynchronous.epoch_leases import Lease
from ddl.asynchronous.server_state import Push, Snapshot

FEATURES, HIDDEN, CLASSES = 20, 16, 4


def made_samples(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return features and labels of overlapping classes that no line separates."""
    random = np.random.default_rng(seed)
    centers = random.normal(size=(2 * CLASSES, FEATURES))
    groups = random.integers(0, 2 * CLASSES, count)
    return centers[groups] + 1.1 * random.normal(size=(count, FEATURES)), groups % CLASSES


def initial_weights(seed: int = 0) -> list[np.ndarray]:
    """Return the weights of the start."""
    random = np.random.default_rng(seed)
    return [
        random.normal(size=(FEATURES, HIDDEN)) / FEATURES**0.5,
        np.zeros(HIDDEN),
        random.normal(size=(HIDDEN, CLASSES)) / HIDDEN**0.5,
        np.zeros(CLASSES),
    ]


def loss_and_gradients(
    weights: list[np.ndarray], x: np.ndarray, y: np.ndarray
) -> tuple[float, list[np.ndarray]]:
    """Return the mean cross-entropy and its gradients."""
    first, first_bias, second, second_bias = weights
    hidden = np.tanh(x @ first + first_bias)
    scores = hidden @ second + second_bias
    scores = scores - scores.max(axis=1, keepdims=True)
    shares = np.exp(scores)
    shares /= shares.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = -np.log(shares[rows, y] + 1e-300).mean()
    slope = shares.copy()
    slope[rows, y] -= 1
    slope /= len(y)
    back = (slope @ second.T) * (1 - hidden**2)
    return float(loss), [x.T @ back, back.sum(0), hidden.T @ slope, slope.sum(0)]


@dataclass
class NumpyWeights:
    """Implements `Weights` with SGD with momentum or Adam, and a rate that is a function of the step."""

    rate: Callable[[int], float]
    rule: str = "adam"
    arrays: list[np.ndarray] = field(default_factory=initial_weights)
    updates: int = 0

    def __post_init__(self) -> None:
        self._first = [np.zeros_like(array) for array in self.arrays]
        self._second = [np.zeros_like(array) for array in self.arrays]

    def apply(self, push: Push, weight: float, step: int) -> None:
        self.updates += 1
        rate_factor, gradient_factor = step_factors(
            {"adam": "Adam", "momentum": "SGD"}[self.rule], weight
        )
        rate = self.rate(step) * rate_factor
        for place, gradient in enumerate(push.gradients):
            assert gradient is not None
            g = gradient * gradient_factor
            first, second = self._first[place], self._second[place]
            if self.rule == "momentum":
                first *= 0.9
                first -= rate * g
                self.arrays[place] += first
                continue
            first += 0.1 * (g - first)
            second += 0.001 * (g * g - second)
            mean = first / (1 - 0.9**self.updates)
            root = np.sqrt(second / (1 - 0.999**self.updates))
            self.arrays[place] -= rate * mean / (root + 1e-7)

    def read(self) -> list[np.ndarray]:
        return [array.copy() for array in self.arrays]


def gradient_of(x: np.ndarray, y: np.ndarray) -> Callable[[Lease, Snapshot], Push]:
    """Return what computes the push of a lease of these samples."""

    def gradient(lease: Lease, snapshot: Snapshot) -> Push:
        loss, gradients = loss_and_gradients(snapshot.arrays, x[lease.indices], y[lease.indices])
        return Push(gradients, loss=loss)

    return gradient
