"""A view of a source whose stored pictures are scaled by a range; shared by the formats that hold arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddl.data.source import Field, Source, View
from ddl.data.value_range import Given, ValueRange, find_range, scale_values


class Ranged(View):
    """Pictures as float32 from 0 to 1, of which 0 and 1 are the two ends of a range."""

    def __init__(self, source: Source, value_range: ValueRange) -> None:
        """Use the samples of `source`, which is closed with this one."""
        super().__init__(source)
        self._range = value_range
        self._input, field = next(iter(source.fields.items()))
        self.fields = {**source.fields, self._input: Field(field.shape, np.dtype(np.float32))}

    @property
    def value_range(self) -> ValueRange:
        return self._range

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        batch = self.source.read(indices)
        return {**batch, self._input: scale_values(batch[self._input], self._range)}

    def read_column(self, name: str) -> np.ndarray | None:
        return self.source.read_column(name)


def with_range(source: Source, given: Given | None) -> Source:
    """Return the source with its pictures scaled by a range, or itself without one.

    Raises:
        ValueError: it is not a range, or the file was prepared with another one. The source is then closed.
    """
    if given is None:
        return source
    try:
        value_range = find_range(given, len(source), source.stored_values)
        before = source.value_range
        if before is not None:
            if before == value_range:
                return source
            raise ValueError(
                f"Received: range={given!r} of a file that prepare_data scaled by {before[0]:g} to {before[1]:g}. "
                "Expected: no range."
            )
        return Ranged(source, value_range)
    except BaseException:
        source.close()
        raise
