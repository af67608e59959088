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

    def __init__(self, source: Source, *, from_0_to_1: bool = False) -> None:
        """Use the samples of `source`, which is closed with this one; `from_0_to_1` refuses all other values.

        Raises:
            ValueError: it has no target.
        """
        if len(source.fields) != 2:
            raise ValueError(
                f"Received: data with {', '.join(source.fields)}. Expected: an input and a target; for the input as "
                "its own target set target_data to the data."
            )
        super().__init__(source)
        self._from_0_to_1 = from_0_to_1
        self._target, field = [*source.fields.items()][1]
        # A mask or a label holds class numbers, also where they are taken as values.
        self._is_picture = (
            self._target == "values" and field.dtype.kind == "u" and len(field.shape) > 2
        )
        self.fields = {
            "image": self.fields[self._input],
            "values": Field(field.shape or (1,), np.dtype(np.float32)),
        }

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        batch = super().read(indices)
        values = batch[self._target]
        values = unit_range(values) if self._is_picture else values.astype(np.float32, copy=False)
        if values.ndim == 1:  # one number a sample
            values = values[:, None]
        refuse_nan(values, indices, self.source, "target")
        if self._from_0_to_1:
            self._refuse_beyond(values, indices)
        return {"image": batch[self._input], "values": values}

    def _refuse_beyond(self, values: np.ndarray, indices: Sequence[int] | np.ndarray) -> None:
        axes = tuple(range(1, values.ndim))
        least, most = values.min(axes, initial=0), values.max(axes, initial=1)
        wrong = np.flatnonzero((least < 0) | (most > 1))
        if len(wrong):
            row = wrong[0]
            raise ValueError(
                f"Received: values from {least[row]:g} to {most[row]:g} in the target of sample "
                f"{self.source.name_of(int(indices[row]))}, for loss=binary_crossentropy. Expected: values from 0 to "
                "1, or loss=mse."
            )

    def read_column(self, name: str) -> np.ndarray | None:
        del name
        return None
