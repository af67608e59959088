"""Calibration inputs, from which a quantizer finds the value range of each tensor."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

import numpy as np

from ddl.data.normalization import Normalization
from ddl.data.pictures.conversion import to_levels
from ddl.export.reference_pictures import Samples
from ddl.progress import Progress


@dataclass(frozen=True)
class Calibration:
    """Calibration inputs in the exported model's input format.

    `samples` is None for a precision that needs no calibration. Progress goes to `stream`. The inputs of a model that
    leaves it to others go through `normalization`.
    """

    samples: Samples | None
    dtype: np.dtype
    stream: TextIO | None = None
    normalization: Normalization | None = None

    def __len__(self) -> int:
        return 0 if self.samples is None else len(self.samples)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield each input as a batch of one. Can be iterated several times, as some quantizers do."""
        if self.samples is None:
            raise RuntimeError("This precision has no calibration samples.")
        with contextlib.closing(
            Progress("calibration pictures", len(self), self.stream)
        ) as progress:
            for number, sample in enumerate(self.samples):
                picture = sample.picture[None]
                if self.normalization is not None:
                    picture = self.normalization.apply(picture)
                yield to_levels(picture, self.dtype)
                progress.show(number + 1)
