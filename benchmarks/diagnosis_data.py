"""Data of the runs on which the diagnosis is calibrated: small arrays, each from its seed. No TensorFlow here."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from ddl.data.inputs_and_targets import ArraySamples

CLASSES = 6
SIDE = 12

Parts = tuple[ArraySamples, ArraySamples, int]


def shapes(seed: int, count: int = 480, noise: float = 0.25, wrong: float = 0.0) -> Parts:
    """Return noisy pictures of a pattern per class, some with wrong labels: training, validation, classes."""
    random = np.random.default_rng(seed)
    patterns = random.uniform(0, 0.5, (CLASSES, SIDE, SIDE, 1))
    parts = []
    for number in (count, 120):
        labels = random.integers(0, CLASSES, number)
        pictures = patterns[labels] + random.normal(0.25, noise, (number, SIDE, SIDE, 1))
        is_wrong = random.random(number) < wrong
        labels = np.where(is_wrong, random.integers(0, CLASSES, number), labels)
        parts.append(ArraySamples(np.clip(pictures, 0, 1).astype(np.float32), labels))
    return parts[0], parts[1], CLASSES


def parity(seed: int, count: int = 480) -> Parts:
    """Return pictures of four classes, half of which no sum over pixels can tell."""
    random = np.random.default_rng(seed)
    parts = []
    for number in (count, 120):
        first, second, third = random.integers(0, 2, (3, number))
        pictures = random.uniform(0.3, 0.5, (number, SIDE, SIDE, 1))
        pictures[:, :4, :4] += 0.4 * first[:, None, None, None]
        pictures[:, 8:, 8:] += 0.4 * second[:, None, None, None]
        pictures[:, :4, 8:] += 0.4 * third[:, None, None, None]
        parts.append(ArraySamples(pictures.astype(np.float32), 2 * third + (first ^ second)))
    return parts[0], parts[1], 4


def rare(seed: int, count: int = 120, seen: float = 0.0) -> Parts:
    """Return masks of one small spot that the picture shows by `seen`; by 0, nothing can be learned."""
    random = np.random.default_rng(seed)
    parts = []
    for number in (count, 40):
        masks = np.zeros((number, 32, 32, 1), np.float32)
        for mask, (y, x) in zip(masks, random.integers(2, 28, (number, 2)), strict=True):
            mask[y : y + 3, x : x + 3] = 1
        pictures = random.uniform(0.2, 0.6, masks.shape) + seen * masks
        parts.append(ArraySamples(pictures.astype(np.float32), masks))
    return parts[0], parts[1], 1


def discs(seed: int, count: int = 120) -> Parts:
    """Return masks of discs in noise."""
    random = np.random.default_rng(seed)
    grid = np.mgrid[:32, :32]
    parts = []
    for number in (count, 40):
        centres, radii = random.uniform(8, 24, (number, 2)), random.uniform(4, 9, number)
        distances = ((grid[None] - centres[:, :, None, None]) ** 2).sum(1) ** 0.5
        masks = (distances < radii[:, None, None])[..., None]
        pictures = 0.35 * masks + random.uniform(0.1, 0.6, masks.shape)
        parts.append(ArraySamples(pictures.astype(np.float32), masks.astype(np.float32)))
    return parts[0], parts[1], 1


class Slow(ArraySamples):
    """Samples that take long to read, as from a busy network disk."""

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """Return the samples, after a while."""
        time.sleep(0.04)
        return super().read(indices)


def slow(seed: int, count: int = 480) -> Parts:
    """Return `shapes` of which each read takes 40 ms."""
    train, held_out, classes = shapes(seed, count)
    arrays = train.read(np.arange(len(train)))
    return Slow(*arrays.values()), held_out, classes


def unlike(seed: int) -> Parts:
    """Return `shapes` whose validation has one class only, and nothing that would tell it."""
    train, _, classes = shapes(seed)
    held_out = ArraySamples(
        np.full((120, SIDE, SIDE, 1), 0.4, np.float32), np.arange(120) % classes
    )
    return train, held_out, classes


DATA = {function.__name__: function for function in (shapes, parity, rare, discs, slow, unlike)}
