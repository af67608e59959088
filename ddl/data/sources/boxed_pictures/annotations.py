"""The boxes of many pictures in arrays: 860,000 boxes of 118,000 pictures take 30 MB, which as objects would take 500.

What a format reads goes into `Gathering`, which checks all boxes at once and names the place of a wrong one.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np

from ddl.boxes.rows import CLASS, COLUMNS, CORNERS, IGNORED
from ddl.data.pictures.listing import Sample

WRONG_BOXES = ("stop", "mend")
_AT_ONCE = 1 << 16
_LEAST = 1e-6  # of a side: float32 keeps such a box apart from one without area


class FileTable(Sequence[Sample]):
    """Picture files below one folder, kept as one text of names."""

    def __init__(self, root: Path, names: Iterable[str]) -> None:
        """Use the files of these names, relative to `root`."""
        self._root = root
        encoded = [os.fsencode(name) for name in names]
        self._text = b"".join(encoded)
        self._ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))

    def __len__(self) -> int:
        return len(self._ends)

    def name(self, index: int) -> str:
        """Return a file's name as it was given."""
        number = range(len(self))[index]
        start = int(self._ends[number - 1]) if number else 0
        return os.fsdecode(self._text[start : int(self._ends[number])])

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Sample, ...]: ...

    def __getitem__(self, index: int | slice) -> Sample | tuple[Sample, ...]:
        if isinstance(index, slice):
            return tuple(self[number] for number in range(*index.indices(len(self))))
        return Sample(self._root / self.name(index))


@dataclass(frozen=True)
class Annotations:
    """Pictures and their boxes.

    Attributes:
        root: folder that names of pictures are relative to.
        files: the pictures.
        sizes: (pictures, 2) int32: height and width that the annotations state, 0 where they do not.
        starts: (pictures + 1,) int64: the rows of picture i are those from `starts[i]` to `starts[i + 1]`.
        rows: (boxes, 6) float32, as `ddl.boxes.rows` says.
        class_names: a name for each class.
        picture_ids: (pictures,) int64: the numbers that results name pictures by.
        category_ids: the number that each class has in the files, for results.
        clipped: number of boxes that were cut at the picture's edge, for `wrong_boxes="mend"`.
        left_out: number of boxes that were left out.
    """

    root: Path
    files: FileTable
    sizes: np.ndarray
    starts: np.ndarray
    rows: np.ndarray
    class_names: tuple[str, ...]
    picture_ids: np.ndarray
    category_ids: tuple[int, ...]
    clipped: int = 0
    left_out: int = 0

    def of(self, index: int) -> np.ndarray:
        """Return the rows of a picture, (its boxes, 6)."""
        rows: np.ndarray = self.rows[self.starts[index] : self.starts[index + 1]]
        return rows

    @property
    def most(self) -> int:
        """Largest number of boxes of a picture; 1 at least."""
        return max(1, int(np.diff(self.starts).max(initial=0)))


class Gathering:
    """Boxes as they are read, 60 bytes for each.

    Attributes:
        pictures: number of each box's picture, as the format counts them.
        classes: number of each box's class, as the format counts them.
        places: where each was read: an annotation's id, or a line.
    """

    def __init__(self) -> None:
        self.pictures, self.classes, self.places = array("q"), array("q"), array("q")
        self._corners, self._ignored = array("d"), array("b")

    def add(
        self, picture: int, number: int, corners: Sequence[float], *, ignored: bool, place: int
    ) -> None:
        """Add a box: its picture's number, its class, and x0, y0, x1, y1."""
        self.pictures.append(picture)
        self.classes.append(number)
        self._corners.extend(corners)
        self._ignored.append(ignored)
        self.places.append(place)

    @property
    def corners(self) -> np.ndarray:
        """The corners as they were added, (boxes, 4) float64."""
        return np.asarray(self._corners).reshape(-1, 4)

    def fractions(self, sizes: np.ndarray) -> np.ndarray:
        """Divide the corners, which were added in pixels, by (boxes, 2) heights and widths. They stay so."""
        corners = self.corners
        corners[:, 0::2] /= sizes[:, 1:]
        corners[:, 1::2] /= sizes[:, :1]
        return corners

    def finish(
        self,
        pictures: np.ndarray,
        classes: np.ndarray,
        count: int,
        corners: np.ndarray,
        tolerance: np.ndarray,
        wrong_boxes: str,
        place: Callable[[int], str],
    ) -> tuple[np.ndarray, np.ndarray, int, int]:
        """Return the boxes as rows in the order of `count` pictures.

        Args:
            pictures: the picture of each box, from 0 to `count` - 1.
            classes: the class of each box, counted from 0.
            count: number of pictures.
            corners: of all boxes, (boxes, 4), in fractions of the sides of their pictures.
            tolerance: (boxes, 2): how far a box may reach beyond the edge, in x and in y; it is cut there.
            wrong_boxes: "stop" refuses a box that reaches farther or has no area; "mend" cuts it, or leaves it out.
            place: what messages call the box of this number.

        Returns:
            `starts` and `rows` of `Annotations`, and the numbers of boxes that were cut and left out.
        """
        rows = np.empty((len(corners), COLUMNS), np.float32)
        rows[:, CLASS], rows[:, IGNORED] = classes, np.asarray(self._ignored)
        has_area, clipped = np.empty(len(corners), np.bool_), 0
        for start in range(0, len(corners), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            cut = np.clip(corners[part], 0, 1)
            is_far = (np.abs(corners[part] - cut) > np.tile(tolerance[part], 2) + 1e-9).any(1)
            has_area[part] = ((cut[:, 2:] - cut[:, :2]) > _LEAST).all(1)
            is_refused = ~np.isfinite(corners[part]).all(1)
            if wrong_boxes == "stop":
                is_refused |= is_far | ~has_area[part]
            for number in (start + np.flatnonzero(is_refused)[:1]).tolist():
                raise _refusal(place(number), corners[number])
            rows[part, CORNERS] = cut
            clipped += int((is_far & has_area[part]).sum())
        kept = np.flatnonzero(has_area)
        kept = kept[np.argsort(pictures[kept], kind="stable")]
        starts = np.concatenate([[0], np.cumsum(np.bincount(pictures[kept], minlength=count))])
        return starts, rows[kept], clipped, len(rows) - len(kept)


def _refusal(place: str, corners: np.ndarray) -> ValueError:
    x0, y0, x1, y1 = corners.tolist()
    found = f"x from {x0:.6g} to {x1:.6g}, y from {y0:.6g} to {y1:.6g} of the picture's sides"
    if not np.isfinite(corners).all():
        expected = "finite numbers"
    elif x1 - x0 <= _LEAST or y1 - y0 <= _LEAST:
        expected = "an area above 0"
    else:
        expected = "from 0 to 1, inside the picture"
    return ValueError(
        f"Received: {place} with {found}. Expected: {expected}; correct it, or give wrong_boxes=mend to cut such boxes "
        "at the edge and leave out those without area."
    )
