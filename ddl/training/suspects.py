"""What to look at when a loss is no number any more. No TensorFlow here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddl.data.source import Source, Subset

_LISTED = 8


def spoiled_samples(samples: Source, indices: np.ndarray) -> list[int]:
    """Return those of the samples that hold NaN or infinity, none where they cannot be read any more."""
    try:
        batch = samples.read(indices)
    except (OSError, ValueError):
        return []
    spoiled = np.zeros(len(indices), bool)
    for values in batch.values():
        if values.dtype.kind == "f":
            spoiled |= ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    return [int(index) for index in indices[spoiled]]


def origin_indices(samples: Source, indices: Sequence[int] | np.ndarray) -> list[int]:
    """Return which samples of the file these are, where `samples` is a part of it."""
    found = np.asarray(indices, np.int64)
    source: Source | None = samples
    while source is not None:
        if isinstance(source, Subset):
            found = source.indices[found]
        source = source.source
    return [int(index) for index in found]


def listed(indices: Sequence[int]) -> str:
    """Return numbers of samples as a text that stays short."""
    return ", ".join(map(str, indices[:_LISTED])) + (", ..." if len(indices) > _LISTED else "")
