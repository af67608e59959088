"""Arrays of several files as one source; shared by the formats whose samples are spread over files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ddl.data.source import Source, checked_indices, empty_batch
from ddl.data.sources.arrays import MOST_SAMPLES, check_lengths, checked_fields

Part = Mapping[str, Any]
"""Field name -> an array, or what has its `shape` and `dtype` and can be indexed by an array."""


class JoinedArrays(Source):
    """The samples of several sets of arrays, one set after the other. Holds only where each set begins."""

    def __init__(
        self, parts: Mapping[str, Part], origin: str, class_names: tuple[str, ...] = ()
    ) -> None:
        """Use the arrays by file and field name.

        Args:
            parts: file -> its arrays, by field name; all files have the same fields.
            origin: names the data in errors.
            class_names: names of the labels, if known.
        """
        self._parts, self._files = [*parts.values()], [*parts]
        self._ends = np.cumsum([check_lengths(part, file) for file, part in parts.items()])
        if int(self._ends[-1]) > MOST_SAMPLES:
            raise ValueError(
                f"Received: {origin} with {self._ends[-1]} samples. Expected: at most {MOST_SAMPLES}."
            )
        first = self._files[0]
        self.fields = checked_fields(self._parts[0], first)
        for file, part in parts.items():
            fields = checked_fields(part, file)
            for name, field in fields.items():
                if name not in self.fields or field.shape != self.fields[name].shape:
                    raise ValueError(
                        f"Received: {name} of shape {field.shape} per sample in {file}, unlike {first}. Expected: "
                        "the same fields and shapes in all files."
                    )
            if fields["image"].dtype != self.fields["image"].dtype:
                raise ValueError(
                    f"Received: image of dtype {fields['image'].dtype} in {file}, {self.fields['image'].dtype} in "
                    f"{first}. Expected: one dtype in all files."
                )
        self.class_names = class_names

    def __len__(self) -> int:
        return int(self._ends[-1])

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        wanted = checked_indices(indices, len(self))
        places = np.searchsorted(self._ends, wanted, side="right")
        batch = empty_batch(self.fields, len(wanted))
        for place in np.unique(places):
            rows = np.flatnonzero(places == place)
            own = wanted[rows] - (self._ends[place - 1] if place else 0)
            for name, array in self._parts[place].items():
                batch[name][rows] = array[own]
        return batch

    def read_column(self, name: str) -> np.ndarray | None:
        """Return the labels; pictures would fill the memory."""
        if name != "label":
            return None
        column = np.concatenate([part["label"] for part in self._parts])
        return column.astype(self.fields["label"].dtype, copy=False)

    def name_of(self, index: int) -> str:
        place = int(np.searchsorted(self._ends, index, side="right"))
        own = index - int(self._ends[place - 1] if place else 0)
        return f"{own} of {self._files[place]}"
