"""Inputs without targets, for losses of a model's input and output."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddl.data.inputs_and_targets import Scaled
from ddl.data.source import Source


class InputSamples(Scaled):
    """The first field of a source, float32: integers from 0 to 1, floats as they are. Targets are not read on."""

    def __init__(self, source: Source, *, least: float | None = None) -> None:
        """Use the samples of `source`, which is closed with this one; reading refuses values below `least`."""
        super().__init__(source)
        self._least = least
        self.fields = {self._input: self.fields[self._input]}

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        inputs = super().read(indices)[self._input]
        if self._least is not None:
            low = inputs.min(axis=tuple(range(1, inputs.ndim)), initial=np.inf)
            for row in np.flatnonzero(low < self._least)[:1]:
                raise ValueError(
                    f"Received: {low[row]:g} in sample {self.source.name_of(int(indices[row]))}. Expected: "
                    f"{self._least:g} or more: the equation has no solution with a negative coefficient."
                )
        return {self._input: inputs}
