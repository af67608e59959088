"""Picture files with boxes as a source: pictures come to one size, and their boxes with them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence

import numpy as np

from ddl.boxes.fitting import BORDER, FITS, Placement, place
from ddl.boxes.rows import CLASS, COLUMNS, CORNERS, padded_rows
from ddl.data.description import describe_form, describe_samples
from ddl.data.pictures.conversion import CHANNELS, DEPTHS, Conversion
from ddl.data.pictures.listing import Listing
from ddl.data.pictures.picture_file import read_form, read_picture, read_size
from ddl.data.source import Field, Source, checked_indices, empty_batch
from ddl.data.sources.boxed_pictures.annotations import Annotations
from ddl.data.sources.picture_folders.picture_files import complete
from ddl.data.value_range import Given, check_range
from ddl.ranges import check_choice


class BoxedFiles(Source):
    """Reads pictures on demand, one at a time, and keeps none; their boxes are kept.

    Attributes:
        annotations: the boxes as stored, and what results need to name pictures and classes.
        fit: how pictures come to the size: one of `ddl.boxes.fitting.FITS`.
    """

    def __init__(
        self,
        annotations: Annotations,
        form: Conversion,
        fit: str,
        *,
        bits: int | None = None,
        value_range: Given | None = None,
    ) -> None:
        """Use the pictures of `annotations`. Without an image size, all must have the same size.

        Args:
            annotations: pictures and boxes.
            form: how pictures are converted; its bits and range are those below.
            fit: "letterbox" or "stretch".
            bits: 8 or 16; None for the depth of the first picture.
            value_range: the range as the user gave it.
        """
        check_choice("fit", fit, FITS)
        check_range(value_range)
        if not len(annotations.files):
            raise ValueError(
                f"Received: {annotations.root} without a picture. Expected: pictures with boxes."
            )
        self.annotations, self.fit = annotations, fit
        listing = Listing(annotations.root, annotations.files)
        how = complete(listing, form, bits, value_range)
        self._size = how.image_size or self._common_size(how.pixel_limit)
        self._how = dataclasses.replace(how, image_size=None)
        self.class_names = annotations.class_names
        self.fields = {
            "image": Field((*self._size, CHANNELS[how.channels]), DEPTHS[how.bits]),
            "boxes": Field((annotations.most, COLUMNS), np.dtype(np.float32)),
        }

    def __len__(self) -> int:
        return len(self.annotations.files)

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        wanted = checked_indices(indices, len(self))
        batch = empty_batch(self.fields, len(wanted))
        for row, index in enumerate(wanted.tolist()):
            picture = self._picture(index)
            height, width, _ = picture.shape
            where = place((height, width), self._size, self.fit)
            batch["image"][row] = self._placed(picture, where)
            boxes = self.annotations.of(index).copy()
            boxes[:, CORNERS] = where.to_input(boxes[:, CORNERS])
            batch["boxes"][row] = padded_rows(boxes, len(batch["boxes"][row]))
        return batch

    def count_boxes(self) -> dict[str, int]:
        numbers = self.annotations.rows[:, CLASS].astype(np.int64)
        counts = np.bincount(numbers, minlength=len(self.class_names)).tolist()
        return dict(zip(self.class_names, counts, strict=True))

    def name_of(self, index: int) -> str:
        return self.annotations.files.name(index)

    @property
    def value_range(self) -> tuple[float, float] | None:
        return self._how.range

    def stored_values(self, index: int) -> np.ndarray:
        picture = read_picture(self.annotations.files[index].image, self._how.pixel_limit)
        return picture[..., :3] if picture.shape[-1] == 4 else picture

    def size_of(self, index: int) -> tuple[int, int]:
        """Return height and width of a picture as stored."""
        height, width = self.annotations.sizes[index].tolist()
        if height and width:
            return height, width
        return read_size(self.annotations.files[index].image, self._how.pixel_limit)

    def describe(self) -> str:
        """Return the numbers of pictures and boxes, the form of the first picture, and what was mended."""
        image = self.fields["image"]
        read = stored = describe_form(image.shape, image.dtype)
        with contextlib.suppress(ValueError):  # a damaged picture: reading it says so
            header = read_form(self.annotations.files[0].image, self._how.pixel_limit)
            stored = describe_form((*header.size, header.channels), DEPTHS[header.bits])
        form = stored if stored == read else f"{stored}, read as {read} ({self.fit})"
        line = describe_samples(len(self), form, 2, "boxes", self._boxes_of_classes())
        clipped, left_out = self.annotations.clipped, self.annotations.left_out
        return f"{line}; boxes cut: {clipped}, left out: {left_out}" if clipped + left_out else line

    def _picture(self, index: int) -> np.ndarray:
        """Return a picture as stored, and refuse one with other sides than its boxes were drawn for."""
        path = self.annotations.files[index].image
        picture = read_picture(path, self._how.pixel_limit)
        height, width = self.annotations.sizes[index].tolist()
        if height and picture.shape[:2] != (height, width):
            turned = (
                " (turned by its EXIF orientation?)" if picture.shape[:2] == (width, height) else ""
            )
            raise ValueError(
                f"Received: {path} of {picture.shape[1]} x {picture.shape[0]} pixels, whose annotations say {width} x "
                f"{height}{turned}. Expected: the same size; correct the annotations, or replace the picture."
            )
        bits = 8 * picture.dtype.itemsize
        if self._how.keeps_depth and bits > self._how.bits:
            raise ValueError(
                f"Received: {path} of {bits} bits, but the first picture has {self._how.bits}. Expected: one depth; or "
                "give bits=16 (or 8) to convert all."
            )
        return picture

    def _placed(self, picture: np.ndarray, where: Placement) -> np.ndarray:
        """Return a stored picture in its place, between borders of grey."""
        inner = dataclasses.replace(self._how, image_size=where.inner).convert(picture)
        if where.inner == where.sides:
            return inner
        field = self.fields["image"]
        whole = np.full(field.shape, round(BORDER * np.iinfo(field.dtype).max), field.dtype)
        height, width = where.inner
        whole[where.top : where.top + height, where.left : where.left + width] = inner
        return whole

    def _common_size(self, pixel_limit: int) -> tuple[int, int]:
        files, sizes = self.annotations.files, self.annotations.sizes
        if not sizes.all():
            sizes = np.array([read_size(sample.image, pixel_limit) for sample in files])
        others = np.flatnonzero((sizes != sizes[0]).any(1))
        height, width = sizes[0].tolist()
        if len(others):
            other = int(others[0])
            raise ValueError(
                f"Received: {files.name(other)} of {sizes[other][1]} x {sizes[other][0]} pixels, {files.name(0)} of "
                f"{width} x {height}. Expected: one size; or give image_size to resize them."
            )
        return height, width
