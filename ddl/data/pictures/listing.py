"""Finds the picture files of a data set, and those without a partner, without opening them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ddl.data.pictures.picture_file import SUFFIXES


@dataclass(frozen=True)
class Sample:
    """The files of one sample: a picture with a mask, a label, or neither."""

    image: Path
    mask: Path | None = None
    label: int | None = None


@dataclass(frozen=True)
class Listing:
    """A folder's samples, sorted by name.

    Attributes:
        samples: the complete ones.
        problems: one line for each file that does not fit: no mask, no picture, or two pictures of one name.
        class_names: the names of the labels, if samples have labels.
    """

    root: Path
    samples: tuple[Sample, ...]
    problems: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()

    def refuse_problems(self) -> Listing:
        """Return the listing, or raise its first problem."""
        if self.problems:
            more = len(self.problems) - 1
            raise ValueError(self.problems[0] + (f" ({more} more problems.)" if more else ""))
        if not self.samples:
            raise ValueError(
                f"Received: {self.root}, which has no pictures. Expected: files that end in "
                f"{', '.join(SUFFIXES)}."
            )
        return self


def is_picture(path: Path) -> bool:
    """Return whether the file name is that of a picture; names that start with a dot are not."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures directly in `folder`, sorted by name."""
    if not folder.is_dir():
        raise ValueError(
            f"Received: {folder}, which is not a folder. Expected: a folder with pictures."
        )
    return sorted(path for path in folder.iterdir() if is_picture(path) and path.is_file())


def match(root: Path, images: Iterable[Path], masks: Iterable[Path]) -> Listing:
    """Pair each picture with its mask: `cell.png` with `cell_mask.gif` or `cell.gif`. Other files become problems."""
    images_by_name, masks_by_name = defaultdict(list), defaultdict(list)
    for image in images:
        images_by_name[image.stem].append(image)
    for mask in masks:
        masks_by_name[mask.stem.removesuffix("_mask")].append(mask)
    samples, problems = [], []
    for name, same in images_by_name.items():
        theirs = masks_by_name.pop(name, [])
        if len(same) == len(theirs) == 1:
            samples.append(Sample(same[0], mask=theirs[0]))
        elif not theirs:
            problems.append(
                f"Received: {same[0]} without a mask. Expected: a mask named after it; add it, or remove the picture."
            )
        else:
            names = ", ".join(path.name for path in [*same, *theirs])
            problems.append(
                f"Received: {names} in {root}. Expected: one picture and one mask per name; remove the others."
            )
    problems += [
        f"Received: {mask} without a picture. Expected: a picture of the same name; add it, or remove the mask."
        for rest in masks_by_name.values()
        for mask in rest
    ]
    return Listing(root, tuple(samples), tuple(problems))
