"""Finds the picture files of a data set, and those without a partner, without opening them."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ddl.data.pictures.picture_file import SUFFIXES

PICTURE_FOLDERS = (
    *("images", "image", "imgs", "img", "pictures", "picture", "photos", "photo", "frames"),
    *("inputs", "input", "raw", "scans"),
)
MASK_FOLDERS = (
    *("masks", "mask", "labels", "label", "gt", "gts", "ground_truth", "groundtruth"),
    *("annotations", "annotation", "segmentations", "segmentation", "seg", "targets", "target"),
)
"""Names of two folders that stand beside each other: pictures, and a mask for each. Capitals do not matter."""
_PICTURE_ENDINGS = tuple(f"_{word}" for word in PICTURE_FOLDERS)
_ENDINGS = ("mask", "masks", "label", "labels", "gt", "seg", "segmentation", "annotation")


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
        unread: pictures that the layout leaves out, such as "test (5)" for a folder beside the others.
    """

    root: Path
    samples: Sequence[Sample]
    problems: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

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


@dataclass(frozen=True)
class TwoFolders:
    """A folder of pictures and a folder of masks, by their names; None for one that is missing."""

    pictures: Path | None
    masks: Path | None


def two_folders(path: Path) -> TwoFolders:
    """Return the folders that `PICTURE_FOLDERS` and `MASK_FOLDERS` name, or two such as `train` and `train_masks`.

    Raises:
        ValueError: there are both, and several of one kind.
    """
    pictures, masks = (
        [folder for folder in subfolders(path) if _plain(folder.name) in names]
        for names in (PICTURE_FOLDERS, MASK_FOLDERS)
    )
    if pictures and masks and len(pictures) + len(masks) > 2:
        listed = ", ".join(folder.name for folder in (*pictures, *masks))
        raise ValueError(
            f"Received: {path} with {listed}. Expected: one folder of pictures and one of masks; move the others away."
        )
    if pictures and masks:
        return TwoFolders(pictures[0], masks[0])
    alone = TwoFolders(pictures[0] if pictures else None, masks[0] if masks else None)
    return _with_one_beginning(path) or alone


def _with_one_beginning(path: Path) -> TwoFolders | None:
    """Return `train` or `train_images`, and `train_masks`, if each picture in one has its mask in the other.

    The names alone do not tell: `face` and `face_mask` may be classes.
    """
    for pictures, masks in itertools.permutations(subfolders(path)[:3], 2):
        name, other = _plain(pictures.name), _plain(masks.name)
        beginnings = {other.removesuffix(f"_{word}") for word in MASK_FOLDERS} - {other}
        names = {f"{start}{rest}" for start in beginnings for rest in ("", *_PICTURE_ENDINGS)}
        if name in names:
            found = match(path, pictures_in(pictures), pictures_in(masks))
            if found.samples and not found.problems:
                return TwoFolders(pictures, masks)
    return None


def _plain(name: str) -> str:
    """Return a folder's name as the tables spell it: "Ground Truth" is "ground_truth"."""
    return name.lower().replace(" ", "_").replace("-", "_")


def subfolders(path: Path) -> list[Path]:
    """Return the folders in `path`, sorted by name, without those whose names start with a dot."""
    entries = sorted(path.iterdir()) if path.is_dir() else []
    return [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]


def unread_pictures(path: Path, read: Iterable[Path]) -> tuple[str, ...]:
    """Return the folders with pictures, `path` and those in it, that are not among those read: "test (5)"."""
    known = set(read)
    left = [folder for folder in (path, *subfolders(path)) if folder not in known]
    counts = {folder: len(pictures_in(folder)) for folder in left}
    return tuple(
        f"{folder.name if folder != path else 'beside the folders'} ({count})"
        for folder, count in counts.items()
        if count
    )


def match(root: Path, images: Iterable[Path], masks: Iterable[Path]) -> Listing:
    """Pair each picture with its mask: `cell.png` with `cell_mask.gif` or `cell.gif`. Other files become problems."""
    images_by_name, masks_by_name = defaultdict(list), defaultdict(list)
    for image in images:
        images_by_name[image.stem].append(image)
    for mask in masks:
        masks_by_name[mask_name(mask.stem, images_by_name)].append(mask)
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


def mask_name(mask: str, pictures: Collection[str]) -> str:
    """Return the name of a mask's picture: its own, or the one without an ending such as `_mask` or `_gt`."""
    name, _, ending = mask.rpartition("_")
    if mask not in pictures and (ending.lower() == "mask" or name in pictures):
        return name if ending.lower() in _ENDINGS else mask
    return mask
