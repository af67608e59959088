"""Picture files with boxes as a source: pictures come to one size, and their boxes with them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence

import numpy as np

from ddl.boxes.rows import CLASS, COLUMNS
from ddl.data.description import describe_form, describe_samples
from ddl.data.pictures.conversion import CHANNELS, DEPTHS
from ddl.data.pictures.listing import Listing
from ddl.data.pictures.picture_file import read_form, read_picture, read_size
from ddl.data.source import Field, Source, checked_indices, empty_batch
from ddl.data.sources.boxed_pictures.annotations import Annotations
from ddl.data.sources.boxed_pictures.conversion import BoxedConversion
from ddl.data.sources.picture_folders.picture_files import complete
from ddl.data.value_range import Given, check_range


class BoxedFiles(Source):
    """Reads pictures on demand, one at a time, and keeps none; their boxes are kept.

    Attributes:
        annotations: the boxes as stored, and what results need to name pictures and classes.
        how: how pictures and boxes are converted.
    """

    def __init__(
        self,
        annotations: Annotations,
        form: BoxedConversion,
        *,
        bits: int | None = None,
        value_range: Given | None = None,
    ) -> None:
        """Use the pictures of `annotations`. Without an image size, all must have the same size.

        Args:
            annotations: pictures and boxes.
            form: how pictures are converted; its rows, bits and range are those below.
            bits: 8 or 16; None for the depth of the first picture.
            value_range: the range as the user gave it.
        """
        check_range(value_range)
        self.annotations, self._samples = annotations, annotations.samples
        listing = Listing(annotations.root, self._samples).refuse_problems()
        how = complete(listing, dataclasses.replace(form, most=annotations.most), bits, value_range)
        size = how.image_size or self._common_size(how.pixel_limit)
        self.how = dataclasses.replace(how, image_size=size)
        self.class_names = annotations.class_names
        self.fields = {
            "image": Field((*size, CHANNELS[how.channels]), DEPTHS[how.bits]),
            "boxes": Field((annotations.most, COLUMNS), np.dtype(np.float32)),
        }

    def __len__(self) -> int:
        return len(self.annotations.files)

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        wanted = checked_indices(indices, len(self))
        batch = empty_batch(self.fields, len(wanted))
        for row, index in enumerate(wanted.tolist()):
            for name, part in self.how.read(self._samples[index]).items():
                batch[name][row] = part
        return batch

    def count_boxes(self) -> dict[str, int]:
        numbers = self.annotations.rows[:, CLASS].astype(np.int64)
        counts = np.bincount(numbers, minlength=len(self.class_names)).tolist()
        return dict(zip(self.class_names, counts, strict=True))

    def name_of(self, index: int) -> str:
        return self.annotations.files[index]

    @property
    def value_range(self) -> tuple[float, float] | None:
        return self.how.range

    def stored_values(self, index: int) -> np.ndarray:
        picture = read_picture(self._samples[index].image, self.how.pixel_limit)
        return picture[..., :3] if picture.shape[-1] == 4 else picture

    def size_of(self, index: int) -> tuple[int, int]:
        """Return height and width of a picture as stored."""
        height, width = self.annotations.sizes[index].tolist()
        if height and width:
            return height, width
        return read_size(self._samples[index].image, self.how.pixel_limit)

    def describe(self) -> str:
        """Return the numbers of pictures and boxes, the form of the first picture, and what was mended."""
        image = self.fields["image"]
        read = stored = describe_form(image.shape, image.dtype)
        with contextlib.suppress(ValueError):  # a damaged picture: reading it says so
            header = read_form(self._samples[0].image, self.how.pixel_limit)
            stored = describe_form((*header.size, header.channels), DEPTHS[header.bits])
        form = stored if stored == read else f"{stored}, read as {read} ({self.how.fit})"
        line = describe_samples(len(self), form, 2, "boxes", self._boxes_of_classes())
        notes = {
            "boxes cut": self.annotations.clipped,
            "boxes left out": self.annotations.left_out,
            "not read, without annotations": self.annotations.unread,
        }
        return "; ".join([line, *(f"{name}: {count}" for name, count in notes.items() if count)])

    def _common_size(self, pixel_limit: int) -> tuple[int, int]:
        files, sizes = self.annotations.files, self.annotations.sizes
        if not sizes.all():
            sizes = np.array([read_size(sample.image, pixel_limit) for sample in self._samples])
        others = np.flatnonzero((sizes != sizes[0]).any(1))
        height, width = sizes[0].tolist()
        if len(others):
            other = int(others[0])
            raise ValueError(
                f"Received: {files[other]} of {sizes[other][1]} x {sizes[other][0]} pixels, {files[0]} of "
                f"{width} x {height}. Expected: one size; or give image_size to resize them."
            )
        return height, width
