"""The boxes of many pictures in arrays: 860,000 boxes of 118,000 pictures take 30 MB, which as objects would take 500.

What a format reads goes into `Gathering`, which checks all boxes at once and names the place of a wrong one.
"""

from __future__ import annotations

import dataclasses
import os
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np

from ddl.boxes.rows import CLASS, COLUMNS, CORNERS, IGNORED
from ddl.data.pictures.listing import Sample
from ddl.data.sources.boxed_pictures.conversion import BoxedSample
from ddl.data.splits import SPLITS

WRONG_BOXES = ("stop", "mend")
_AT_ONCE = 1 << 16
_LEAST = 1e-6  # of a side: float32 keeps such a box apart from one without area


class FileNames:
    """Names of picture files, kept as one text."""

    def __init__(self, names: Iterable[str]) -> None:
        """Use these names, relative to one folder."""
        encoded = [os.fsencode(name) for name in names]
        self._text = b"".join(encoded)
        self._ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        number = range(len(self))[index]
        start = int(self._ends[number - 1]) if number else 0
        return os.fsdecode(self._text[start : int(self._ends[number])])


@dataclass(frozen=True)
class Annotations:
    """Pictures and their boxes.

    Attributes:
        root: folder that names of pictures are relative to.
        files: names of the pictures.
        sizes: (pictures, 2) int32: height and width that the annotations state, 0 where they do not.
        starts: (pictures + 1,) int64: the rows of picture i are those from `starts[i]` to `starts[i + 1]`.
        rows: (boxes, 6) float32, as `ddl.boxes.rows` says.
        class_names: a name for each class.
        picture_ids: (pictures,) int64: the numbers that results name pictures by.
        category_ids: the number that each class has in the files, for results.
        clipped: number of boxes that were cut at the picture's edge, for `wrong_boxes="mend"`.
        left_out: number of boxes that were left out.
        unread: number of pictures beside them that have no annotations.
        splits: (pictures,) number in `SPLITS` of each picture's part, where they are of several.
    """

    root: Path
    files: FileNames
    sizes: np.ndarray
    starts: np.ndarray
    rows: np.ndarray
    class_names: tuple[str, ...]
    picture_ids: np.ndarray
    category_ids: tuple[int, ...]
    clipped: int = 0
    left_out: int = 0
    unread: int = 0
    splits: np.ndarray | None = None

    @property
    def samples(self) -> Sequence[Sample]:
        """The pictures with their boxes, made when they are asked for."""
        return _Samples(self)

    def of(self, index: int) -> np.ndarray:
        """Return the rows of a picture, (its boxes, 6)."""
        rows: np.ndarray = self.rows[self.starts[index] : self.starts[index + 1]]
        return rows

    @property
    def most(self) -> int:
        """Largest number of boxes of a picture; 1 at least."""
        return max(1, int(np.diff(self.starts).max(initial=0)))


class _Samples(Sequence[Sample]):
    """The pictures of annotations as samples."""

    def __init__(self, annotations: Annotations) -> None:
        self._annotations = annotations

    def __len__(self) -> int:
        return len(self._annotations.files)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Sample, ...]: ...

    def __getitem__(self, index: int | slice) -> Sample | tuple[Sample, ...]:
        if isinstance(index, slice):
            return tuple(self[number] for number in range(*index.indices(len(self))))
        found, number = self._annotations, range(len(self))[index]
        height, width = found.sizes[number].tolist()
        return BoxedSample(
            found.root / found.files[number],
            rows=tuple(map(tuple, found.of(number).tolist())),
            size=(height, width),
            number=int(found.picture_ids[number]),
            split="" if found.splits is None else SPLITS[found.splits[number]],
        )


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


def joined(parts: Mapping[str, Annotations], origin: object) -> Annotations:
    """Return the annotations of several splits as one, in the classes of the first of them.

    Raises:
        ValueError: a split has a class that the first one lacks.
    """
    first = next(iter(parts.values()))
    root = Path(os.path.commonpath([part.root.absolute() for part in parts.values()]))
    known = {name: number for number, name in enumerate(first.class_names)}
    for split, part in parts.items():
        unknown = [name for name in part.class_names if name not in known]
        if unknown:
            raise ValueError(
                f"Received: class {unknown[0]!r} in the {split} split of {origin}, which {next(iter(parts))} lacks. "
                f"Expected: {', '.join(first.class_names[:10])}; remove it, or add it there."
            )
    names, rows = [], []
    for part in parts.values():
        place = part.root.absolute().relative_to(root)
        names += [(place / part.files[index]).as_posix() for index in range(len(part.files))]
        rows.append(part.rows.copy())
        numbers = np.array([known[name] for name in part.class_names] or [0], np.float32)
        rows[-1][:, CLASS] = numbers[part.rows[:, CLASS].astype(np.int64)]
    counts = [np.diff(part.starts) for part in parts.values()]
    return dataclasses.replace(
        first,
        root=root,
        files=FileNames(names),
        sizes=np.concatenate([part.sizes for part in parts.values()]),
        starts=np.concatenate([[0], np.cumsum(np.concatenate(counts))]),
        rows=np.concatenate(rows),
        picture_ids=np.concatenate([part.picture_ids for part in parts.values()]),
        clipped=sum(part.clipped for part in parts.values()),
        left_out=sum(part.left_out for part in parts.values()),
        unread=sum(part.unread for part in parts.values()),
        splits=np.repeat(
            [SPLITS.index(split) for split in parts], [len(part.files) for part in parts.values()]
        ).astype(np.uint8),
    )
