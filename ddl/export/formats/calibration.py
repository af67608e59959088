"""What a quantizer is shown of a model's inputs to find the ranges of its numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

import numpy as np

from ddl.data.pictures.conversion import to_levels
from ddl.export.reference_pictures import Samples
from ddl.progress import Progress


@dataclass(frozen=True)
class Calibration:
    """Inputs, one at a time, as the exported model takes them.

    Attributes:
        samples: of the calibration; None where none is wanted.
        dtype: of the model's input.
        stream: where progress is shown.
    """

    samples: Samples | None
    dtype: np.dtype
    stream: TextIO | None = None

    def __len__(self) -> int:
        """Return the number of inputs."""
        return 0 if self.samples is None else len(self.samples)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield each input as a batch of one; as often as it is asked for."""
        if self.samples is None:
            raise RuntimeError("Nothing to calibrate with was opened.")
        with contextlib.closing(
            Progress("calibration pictures", len(self), self.stream)
        ) as progress:
            for number, sample in enumerate(self.samples):
                yield to_levels(sample.shown[None], self.dtype)
                progress.show(number + 1)
