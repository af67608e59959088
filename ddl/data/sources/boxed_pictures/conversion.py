"""Brings a picture and its boxes to the size of a data set: `BoxedConversion`, which reads a `BoxedSample`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from ddl.boxes.fitting import BORDER, FITS, Placement, place
from ddl.boxes.rows import CORNERS, padded_rows
from ddl.data.pictures.conversion import Conversion
from ddl.data.pictures.listing import Sample
from ddl.data.pictures.picture_file import read_picture
from ddl.ranges import check_choice


@dataclass(frozen=True)
class BoxedSample(Sample):
    """A picture file and its boxes.

    Attributes:
        rows: as `ddl.boxes.rows` says, of the picture as stored.
        size: height and width that the annotations state; 0 where they do not.
        number: the number that results name the picture by.
        split: the part of the data that it belongs to, "" for none.
    """

    rows: tuple[tuple[float, ...], ...] = ()
    size: tuple[int, int] = (0, 0)
    number: int = 0
    split: str = ""


@dataclass(frozen=True)
class BoxedConversion(Conversion):
    """The form to which pictures with boxes are converted.

    Attributes:
        fit: how pictures come to the size: one of `ddl.boxes.fitting.FITS`.
        most: rows of each sample.
    """

    fit: str = "letterbox"
    most: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("fit", self.fit, FITS)

    def read(self, sample: Sample) -> dict[str, np.ndarray]:
        """Read a `BoxedSample`: "image" and "boxes".

        Raises:
            ValueError: the picture is damaged, or has other sides than its boxes were drawn for.
        """
        if not isinstance(sample, BoxedSample):
            raise TypeError(f"Received: {type(sample).__name__}. Expected: BoxedSample.")
        picture = read_picture(sample.image, self.pixel_limit)
        self._check(picture, sample)
        height, width, _ = picture.shape
        where = place((height, width), self.image_size or (height, width), self.fit)
        boxes = np.array(sample.rows, np.float32).reshape(-1, 6)
        boxes[:, CORNERS] = where.to_input(boxes[:, CORNERS])
        return {"image": self.placed(picture, where), "boxes": padded_rows(boxes, self.most)}

    def _check(self, picture: np.ndarray, sample: BoxedSample) -> None:
        sides = picture.shape[:2]
        if sample.size != (0, 0) and sides != sample.size:
            height, width = sample.size
            turned = " (turned by its EXIF orientation?)" if sides == (width, height) else ""
            raise ValueError(
                f"Received: {sample.image} of {sides[1]} x {sides[0]} pixels, whose annotations say {width} x "
                f"{height}{turned}. Expected: the same size; correct the annotations, or replace the picture."
            )
        bits = 8 * picture.dtype.itemsize
        if self.keeps_depth and bits > self.bits:
            raise ValueError(
                f"Received: {sample.image} of {bits} bits, but the first picture has {self.bits}. Expected: one depth; "
                "or give bits=16 (or 8) to convert all."
            )

    def placed(self, picture: np.ndarray, where: Placement) -> np.ndarray:
        """Return a stored picture in its place, between borders of grey."""
        inner = dataclasses.replace(self, image_size=where.inner).convert(picture)
        if where.inner == where.sides:
            return inner
        grey = round(BORDER * np.iinfo(inner.dtype).max)
        whole = np.full((*where.sides, inner.shape[-1]), grey, inner.dtype)
        height, width = where.inner
        whole[where.top : where.top + height, where.left : where.left + width] = inner
        return whole
