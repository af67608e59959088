"""Inputs and targets as a model takes them, from arrays or from a `Source`, read a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ddl.data.conversion import unit_range
from ddl.data.source import Field, Source


class Samples(Protocol):
    """What batches are made of.

    Attributes:
        fields: shape and dtype of one input and of one target.
    """

    fields: tuple[Field, ...]

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def read(self, indices: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the inputs and targets of these samples, in this order."""
        ...


class ArraySamples:
    """Two arrays of equal length in memory."""

    def __init__(self, inputs: np.ndarray, targets: np.ndarray) -> None:
        if len(inputs) != len(targets):
            raise ValueError(
                f"Received: {len(inputs)} inputs and {len(targets)} targets. Expected: as many of both."
            )
        self._inputs, self._targets = inputs, targets
        pair = (inputs, targets)
        self.fields: tuple[Field, ...] = tuple(
            Field(array.shape[1:], array.dtype) for array in pair
        )

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._inputs)

    def read(self, indices: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the inputs and targets of these samples."""
        chosen = np.asarray(indices, dtype=np.int64)
        return self._inputs[chosen], self._targets[chosen]


class MaskSamples:
    """Pictures from 0 to 1 and masks of 0 and 1, float32, from a source of pictures and binary masks."""

    def __init__(self, source: Source) -> None:
        if "mask" not in source.fields:
            raise ValueError(
                f"Received: data with {', '.join(source.fields)}. Expected: image and mask."
            )
        self._source = source
        shapes = (source.fields["image"].shape, source.fields["mask"].shape)
        self.fields: tuple[Field, ...] = tuple(
            Field(shape, np.dtype(np.float32)) for shape in shapes
        )

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._source)

    def read(self, indices: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the pictures and masks of these samples."""
        batch = self._source.read(indices)
        return unit_range(batch["image"]), (batch["mask"] > 0).astype(np.float32)
