"""Inputs and targets as a model takes them: sources whose first field is the input and whose second the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ddl.data.conversion import unit_range
from ddl.data.source import Field, Source
from ddl.data.sources.arrays import Arrays


class ArraySamples(Arrays):
    """Two arrays of equal length in memory."""

    def __init__(self, inputs: np.ndarray, targets: np.ndarray) -> None:
        if len(inputs) != len(targets):
            raise ValueError(
                f"Received: {len(inputs)} inputs and {len(targets)} targets. Expected: as many of both."
            )
        super().__init__({"inputs": inputs, "targets": targets}, "arrays")


class MaskSamples:
    """Pictures from 0 to 1 and masks of 0 and 1, float32, from a source of pictures and binary masks."""

    def __init__(self, source: Source) -> None:
        if "mask" not in source.fields:
            raise ValueError(
                f"Received: data with {', '.join(source.fields)}. Expected: image and mask."
            )
        self._source = source
        self.fields: Mapping[str, Field] = {
            name: Field(source.fields[name].shape, np.dtype(np.float32))
            for name in ("image", "mask")
        }

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._source)

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """Return the pictures and masks of these samples."""
        batch = self._source.read(indices)
        mask = (batch["mask"] > 0).astype(np.float32)
        return {"image": unit_range(batch["image"]), "mask": mask}

    def close(self) -> None:
        """Close the source beneath."""
        self._source.close()
