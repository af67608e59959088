"""Inputs with targets that are values: pictures to reconstruct, fields of an equation, measured numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddl.data.inputs_and_targets import Scaled, refuse_nan
from ddl.data.pictures.conversion import unit_range
from ddl.data.source import Field, Source


class ValueSamples(Scaled):
    """Pictures from 0 to 1 and their "values", both float32, from a source with an input and a target.

    Values are taken as they are, but for pictures of unsigned integers, which are scaled as inputs are.
    """

    def __init__(self, source: Source) -> None:
        """Use the samples of `source`, which is closed with this one.

        Raises:
            ValueError: it has no target.
        """
        if len(source.fields) != 2:
            raise ValueError(
                f"Received: data with {', '.join(source.fields)}. Expected: an input and a target; for the input as "
                "its own target set target_data to the data."
            )
        super().__init__(source)
        self._target, field = [*source.fields.items()][1]
        # A mask or a label holds class numbers, also where they are taken as values.
        self._is_picture = (
            self._target == "values" and field.dtype.kind == "u" and len(field.shape) > 2
        )
        self.fields = {
            "image": self.fields[self._input],
            "values": Field(field.shape, np.dtype(np.float32)),
        }

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        batch = super().read(indices)
        values = batch[self._target]
        values = unit_range(values) if self._is_picture else values.astype(np.float32, copy=False)
        refuse_nan(values, indices, self.source, "target")
        return {"image": batch[self._input], "values": values}

    def read_column(self, name: str) -> np.ndarray | None:
        del name
        return None
