"""Picture files as a source; shared by the three folder layouts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ddl.data.pictures.conversion import CHANNELS, DEPTHS, Conversion
from ddl.data.pictures.listing import Listing
from ddl.data.pictures.picture_file import PIXEL_LIMIT, read_size
from ddl.data.source import Field, Source, checked_indices, empty_batch


def mask_opener(find: Callable[[Path], Listing]) -> Callable[..., PictureFiles]:
    """Return the function that opens a layout of pictures with masks, given the function that finds its pairs."""

    def open_source(
        path: Path,
        *,
        image_size: tuple[int, int] | None = None,
        channels: str = "rgb",
        bits: int = 8,
        mask_mode: str = "binary",
        pixel_limit: int = PIXEL_LIMIT,
    ) -> PictureFiles:
        how = Conversion(image_size, channels, bits, mask_mode, pixel_limit)
        return PictureFiles(find(path), how)

    return open_source


class PictureFiles(Source):
    """Reads pictures on demand, one at a time, and keeps none.

    Decoding takes milliseconds per picture. For more than a few epochs, use `scripts/prepare_data.py` first.
    """

    def __init__(self, listing: Listing, how: Conversion) -> None:
        """Use the files of a listing. Without an image size, all pictures must have the same size in their headers."""
        self._listing = listing.refuse_problems()
        self._samples = listing.samples
        if how.image_size is None:
            how = dataclasses.replace(how, image_size=self._common_size(how.pixel_limit))
        self._how = how
        size, first = how.image_size or (0, 0), self._samples[0]
        self.fields = {"image": Field((*size, CHANNELS[how.channels]), DEPTHS[how.bits])}
        if first.mask is not None:
            self.fields["mask"] = Field((*size, 1), np.dtype(np.uint8))
        if first.label is not None:
            self.fields["label"] = Field((), np.dtype(np.int64))

    def __len__(self) -> int:
        return len(self._samples)

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        wanted = checked_indices(indices, len(self))
        batch = empty_batch(self.fields, len(wanted))
        for row, index in enumerate(wanted):
            for name, part in self._how.read(self._samples[index]).items():
                batch[name][row] = part
        return batch

    def read_column(self, name: str) -> np.ndarray | None:
        if name != "label":
            return None
        return np.array([sample.label for sample in self._samples], np.int64)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._listing.class_names

    def name_of(self, index: int) -> str:
        return self._samples[index].image.relative_to(self._listing.root).as_posix()

    def _common_size(self, pixel_limit: int) -> tuple[int, int]:
        first = self._samples[0].image
        size = read_size(first, pixel_limit)
        for sample in self._samples[1:]:
            other = read_size(sample.image, pixel_limit)
            if other != size:
                raise ValueError(
                    f"Received: {sample.image} of {other[1]} x {other[0]} pixels, {first} of {size[1]} x {size[0]}. "
                    "Expected: one size; or give image_size to resize them."
                )
        return size
