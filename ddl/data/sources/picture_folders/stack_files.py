"""TIFF stacks as a source of volumes, for the folder layouts: a stack and its mask, or a stack in a class folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ddl.data.pictures.conversion import Conversion
from ddl.data.pictures.listed_files import ListedFiles
from ddl.data.pictures.listing import Listing, Sample
from ddl.data.pictures.stack_file import StackForm, read_stack, read_stack_form
from ddl.data.source import Field, Source, checked_indices, empty_batch
from ddl.data.sources.ranged import with_range
from ddl.data.value_range import Given


def open_stacks(
    listing: Listing, form: Conversion, bits: int | None, value_range: Given | None
) -> Source:
    """Open a listing's stacks. They are read as stored: only `mask_mode`, `pixel_limit` and the range apply."""
    if form.image_size is not None:
        raise ValueError(
            f"Received: image_size={'x'.join(map(str, form.image_size))} for stacks such as "
            f"{listing.samples[0].image}. Expected: no image_size; volumes are not resized."
        )
    if form.colour_order != "rgb":
        raise ValueError(
            f"Received: colour_order={form.colour_order} for stacks such as {listing.samples[0].image}. Expected: "
            "pictures; the channels of volumes keep their order."
        )
    stacks = StackFiles(listing, form)
    depth = 8 * stacks.fields["image"].dtype.itemsize
    if bits not in (None, depth):
        raise ValueError(
            f"Received: bits={bits} for stacks of {depth} bits such as {listing.samples[0].image}. Expected: no bits; "
            "volumes keep their depth."
        )
    return with_range(stacks, value_range)


class StackFiles(ListedFiles):
    """Reads volumes on demand, one at a time, and keeps none. All must have the same shape in their headers."""

    def __init__(self, listing: Listing, how: Conversion) -> None:
        super().__init__(listing, how)
        form, first = self._common_form(), self._samples[0]
        self.fields = {"image": Field(form.shape, form.dtype)}
        if first.mask is not None:
            self.fields["mask"] = Field((*form.shape[:-1], 1), np.dtype(np.uint8))
        if first.label is not None:
            self.fields["label"] = Field((), np.dtype(np.int64))

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        wanted = checked_indices(indices, len(self))
        batch = empty_batch(self.fields, len(wanted))
        for row, index in enumerate(wanted):
            sample = self._samples[index]
            batch["image"][row] = read_stack(sample.image).reshape(self.fields["image"].shape)
            if sample.mask is not None:
                batch["mask"][row] = self._mask(sample, sample.mask)
            if sample.label is not None:
                batch["label"][row] = sample.label
        return batch

    def _read_stored_mask(self, path: Path) -> np.ndarray | None:
        return read_stack(path).reshape(self.fields["mask"].shape)

    def _common_form(self) -> StackForm:
        first = self._samples[0].image
        form = read_stack_form(first, self._how.pixel_limit)
        for sample in self._samples[1:]:
            other = read_stack_form(sample.image, self._how.pixel_limit)
            if other != form:
                raise ValueError(
                    f"Received: {sample.image} of {_words(other)}, {first} of {_words(form)}. Expected: one size and "
                    "depth for all stacks."
                )
        return form

    def _mask(self, sample: Sample, path: Path) -> np.ndarray:
        """Return a stack's mask, uint8 of (depth, height, width, 1)."""
        shape = self.fields["mask"].shape
        mask = read_stack(path)
        if mask.shape not in (shape, shape[:-1]):
            raise ValueError(
                f"Received: {path} of shape {'x'.join(map(str, mask.shape))} for {sample.image} of "
                f"{'x'.join(map(str, shape[:-1]))}. Expected: the same shape; correct or remove the pair."
            )
        if self._how.mask_mode == "binary":
            return np.asarray(mask > 0, np.uint8).reshape(shape)
        if mask.dtype.kind not in "biu" or mask.min() < 0 or mask.max() > 255:
            raise ValueError(
                f"Received: {path} with values from {mask.min()} to {mask.max()} ({mask.dtype}). Expected: whole "
                "numbers from 0 to 255, the classes."
            )
        return mask.astype(np.uint8).reshape(shape)


def _words(form: StackForm) -> str:
    return f"{'x'.join(map(str, form.shape))} {form.dtype}"
