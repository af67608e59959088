"""Picture files as a source; shared by the three folder layouts."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from ddl.data.description import describe_form, describe_samples
from ddl.data.pictures.conversion import CHANNELS, DEPTHS, Conversion, read_stored_mask
from ddl.data.pictures.listed_files import ListedFiles
from ddl.data.pictures.listing import Listing
from ddl.data.pictures.picture_file import PIXEL_LIMIT, read_form, read_picture, read_size
from ddl.data.pictures.stack_file import is_stack
from ddl.data.source import Field, Source, checked_indices, empty_batch
from ddl.data.sources.picture_folders.stack_files import open_stacks
from ddl.data.value_range import Given, check_range, find_range


def mask_opener(find: Callable[[Path], Listing]) -> Callable[..., Source]:
    """Return the function that opens a layout of pictures with masks, given the function that finds its pairs."""

    def open_source(
        path: Path,
        *,
        image_size: tuple[int, int] | None = None,
        channels: str = "rgb",
        bits: int | None = None,
        range: str | None = None,  # noqa: A002
        mask_mode: str = "binary",
        pixel_limit: int = PIXEL_LIMIT,
        colour_order: str = "rgb",
        resampling: str = "area",
    ) -> Source:
        form = Conversion(
            image_size,
            channels,
            bits or 8,
            mask_mode,
            pixel_limit,
            colour_order=colour_order,
            resampling=resampling,
        )
        return open_pictures(find(path), form, bits, range)

    return open_source


def plain_opener(find: Callable[[Path], Listing]) -> Callable[..., Source]:
    """Return the function that opens a layout of pictures without masks, given the function that finds them."""

    def open_source(
        path: Path,
        *,
        image_size: tuple[int, int] | None = None,
        channels: str = "rgb",
        bits: int | None = None,
        range: str | None = None,  # noqa: A002
        pixel_limit: int = PIXEL_LIMIT,
        colour_order: str = "rgb",
        resampling: str = "area",
    ) -> Source:
        form = Conversion(
            image_size,
            channels,
            bits or 8,
            pixel_limit=pixel_limit,
            colour_order=colour_order,
            resampling=resampling,
        )
        return open_pictures(find(path), form, bits, range)

    return open_source


def open_pictures(
    listing: Listing, form: Conversion, bits: int | None, value_range: Given | None
) -> Source:
    """Open a listing's pictures, or its stacks of TIFF pages, which are volumes.

    Args:
        listing: the files.
        form: how they are converted; its bits and range are those below.
        bits: 8 or 16; None for the depth of the first picture.
        value_range: the range as the user gave it.
    """
    check_range(value_range)
    first = listing.refuse_problems().samples[0].image
    if is_stack(first):
        return open_stacks(listing, form, bits, value_range)
    return PictureFiles(listing, complete(listing, form, bits, value_range))


_Form = TypeVar("_Form", bound=Conversion)


def complete(listing: Listing, form: _Form, bits: int | None, value_range: Given | None) -> _Form:
    """Return the conversion with the depth of the first picture, unless `bits` are given, and with its range."""
    samples, limit = listing.samples, form.pixel_limit
    depth = _first_depth(listing, limit) if bits is None else bits
    numbers = None
    if value_range is not None:
        numbers = find_range(
            value_range, len(samples), lambda index: _colours(samples[index].image, limit)
        )
    return dataclasses.replace(form, bits=depth, range=numbers, keeps_depth=bits is None)


def _first_depth(listing: Listing, pixel_limit: int) -> int:
    """Return the bits of the first picture that is not damaged; reading the others says what is wrong with them."""
    for sample in listing.samples:
        with contextlib.suppress(ValueError):
            return read_form(sample.image, pixel_limit).bits
    return 8


def _colours(path: Path, pixel_limit: int) -> np.ndarray:
    """Return a picture as stored, without its transparency."""
    picture = read_picture(path, pixel_limit)
    return picture[..., :3] if picture.shape[-1] == 4 else picture


class PictureFiles(ListedFiles):
    """Reads pictures on demand, one at a time, and keeps none.

    Decoding takes milliseconds per picture. For more than a few epochs, use `scripts/prepare_data.py` first.
    """

    def __init__(self, listing: Listing, how: Conversion) -> None:
        """Use the files of a listing. Without an image size, all pictures must have the same size in their headers."""
        super().__init__(listing, how)
        if how.image_size is None:
            how = dataclasses.replace(how, image_size=self._common_size(how.pixel_limit))
        self._how = how
        size, first = how.image_size or (0, 0), self._samples[0]
        self.fields = {"image": Field((*size, CHANNELS[how.channels]), DEPTHS[how.bits])}
        if first.mask is not None:
            self.fields["mask"] = Field((*size, 1), np.dtype(np.uint8))
        if first.label is not None:
            self.fields["label"] = Field((), np.dtype(np.int64))

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        wanted = checked_indices(indices, len(self))
        batch = empty_batch(self.fields, len(wanted))
        for row, index in enumerate(wanted):
            for name, part in self._how.read(self._samples[index]).items():
                batch[name][row] = part
        return batch

    @property
    def value_range(self) -> tuple[float, float] | None:
        return self._how.range

    def stored_values(self, index: int) -> np.ndarray:
        return _colours(self._samples[index].image, self._how.pixel_limit)

    def _read_stored_mask(self, path: Path) -> np.ndarray | None:
        return read_stored_mask(path, self._how.pixel_limit)

    def describe(self) -> str:
        """Return the number of pictures, the form of the first one, and the form in which they are read."""
        image = self.fields["image"]
        read = stored = describe_form(image.shape, image.dtype)
        with contextlib.suppress(ValueError):  # a damaged picture: reading it says so
            header = read_form(self._samples[0].image, self._how.pixel_limit)
            stored = describe_form((*header.size, header.channels), DEPTHS[header.bits])
        form = stored if stored == read else f"{stored}, read as {read}"
        target = next((name for name in ("mask", "label") if name in self.fields), "")
        classes = self._count_labels() if target == "label" else None
        line = describe_samples(len(self), form, 2, target, classes)
        unread = self._listing.unread
        return f"{line}; not read: {', '.join(unread)}" if unread else line

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
