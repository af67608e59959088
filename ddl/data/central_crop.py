"""The middle of pictures, which evaluation and prediction take in place of the random crops of training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddl.data.pictures.conversion import central_crop, central_sides
from ddl.data.source import Field, Source, View


class CentrallyCropped(View):
    """Samples of which only the middle of the picture, the first field, is taken."""

    def __init__(self, source: Source, fraction: float) -> None:
        """Take this fraction of height and width of `source`, which is closed with this one."""
        super().__init__(source)
        self._fraction = fraction
        self._input, field = next(iter(source.fields.items()))
        *sides, channels = field.shape
        shape = (*central_sides(sides, fraction), channels)
        self.fields = {**source.fields, self._input: Field(shape, field.dtype)}

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        batch = self.source.read(indices)
        cropped = central_crop(batch[self._input], self._fraction)
        return {**batch, self._input: np.ascontiguousarray(cropped)}

    def read_column(self, name: str) -> np.ndarray | None:
        return None if name == self._input else self.source.read_column(name)


def is_cropped(source: Source) -> bool:
    """Return whether a source is, or is a view of, such samples."""
    inner: Source | None = source
    while inner is not None and not isinstance(inner, CentrallyCropped):
        inner = inner.source
    return inner is not None
