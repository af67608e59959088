"""Lists of classes: a class map with a folder's name a line; the list of a flat folder, a picture and its class a line.

No list is ever evaluated, and a number is taken as it stands: no list of another order of classes is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ddl.files import read_text

_HEADERS = ("imageid", "image", "filename", "file", "name")


def read_class_map(path: Path) -> dict[str, str]:
    """Return folder name -> class name, in the order of the labels: `n01440764 tench, Tinca tinca` a line.

    The first word is the name of a folder; the line is the name of the class.
    """
    names: dict[str, str] = {}
    for number, line in enumerate(_lines(path), 1):
        folder = line.split(maxsplit=1)[0]
        if folder in names:
            raise ValueError(
                f"Received: class_map={path} with {folder} twice, again in line {number}. Expected: each class once."
            )
        names[folder] = line[:200]
    if len(names) < 2:
        raise ValueError(
            f"Received: class_map={path} with {len(names)} classes. Expected: the name of a class folder a line."
        )
    return names


def read_picture_list(
    path: Path, pictures: Sequence[str], classes: Sequence[str], label_base: int
) -> list[int]:
    """Return the label of each picture of a flat folder.

    Args:
        path: the list; a line is the name of a picture, with or without suffix, and its class: the name of a class
            folder, or its number. More words, such as boxes, are not read.
        pictures: names of the pictures, sorted.
        classes: names of the class folders, in the order of the labels.
        label_base: number of the first class in the list.

    Raises:
        ValueError: a line has no class, or the pictures and the list differ.
    """
    labels: dict[str, int] = {}
    numbers = {name: number for number, name in enumerate(classes)}
    by_stem = {Path(name).stem: name for name in pictures}
    known = set(pictures)
    for number, line in enumerate(_lines(path), 1):
        words = re.split(r"[\s,;]+", line)
        if number == 1 and words[0].lower() in _HEADERS:
            continue
        where = f"line {number} of {path}"
        if len(words) < 2:
            raise ValueError(
                f"Received: {words[0][:80]!r} in {where}. Expected: the name of a picture and its class; numbers "
                "alone, as in the devkit of ImageNet, count its classes in another order."
            )
        name = Path(words[0]).name
        name = name if name in known else by_stem.get(name, name)
        if name not in known or name in labels:
            what = "listed twice" if name in labels else "which is not in the folder"
            raise ValueError(
                f"Received: {name[:80]!r} in {where}, {what}. Expected: each picture of the folder once."
            )
        labels[name] = _label(words[1], numbers, label_base, where)
    missing = [name for name in pictures if name not in labels]
    if missing:
        raise ValueError(
            f"Received: {path} without {missing[0]} and {len(missing) - 1} more pictures of the folder. Expected: all "
            "of them; complete the list, or remove the pictures."
        )
    return [labels[name] for name in pictures]


def _label(word: str, numbers: Mapping[str, int], base: int, where: str) -> int:
    """Return the label of a class, given by its folder's name or its number."""
    if word in numbers:
        return numbers[word]
    if re.fullmatch(r"-?\d{1,9}", word) and 0 <= int(word) - base < len(numbers):
        return int(word) - base
    raise ValueError(
        f"Received: class {word[:80]!r} in {where}. Expected: one of the {len(numbers)} class folders, such as "
        f"{next(iter(numbers), '')}, or a number from {base} to {base + len(numbers) - 1}."
    )


def _lines(path: Path) -> list[str]:
    """Return the lines of a list that are not empty."""
    try:
        text = read_text(path)
    except OSError as error:
        raise ValueError(
            f"Received: {path}, which cannot be read ({error.strerror}). Expected: a list of classes."
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"Received: {path}, which is not UTF-8. Expected: a text file.") from error
    return [line.strip() for line in text.splitlines() if line.strip()]
