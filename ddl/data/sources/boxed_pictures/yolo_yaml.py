"""Reads `data.yaml` of YOLO: names of classes, and where pictures of each split are. Nothing in it is run or loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.data.splits import SPLITS
from ddl.files import read_text

_KEYS = {"train": "train", "validation": "val", "test": "test"}
_MOST_BYTES = 4 << 20


@dataclass(frozen=True)
class DataYaml:
    """What a `data.yaml` says.

    Attributes:
        file: the file.
        names: the classes, in the order of their numbers.
        places: split -> folders with pictures, or text files with a picture a line.
    """

    file: Path
    names: tuple[str, ...]
    places: Mapping[str, tuple[Path, ...]]


def read_data_yaml(file: Path) -> DataYaml:
    """Return the names and places of a file.

    Raises:
        ValueError: it is no such YAML. Aliases, tags and keys that are no text are refused.
    """
    content = _loaded(file)
    names = _names(content.get("names"), content.get("nc"), file)
    root = content.get("path")
    places = {}
    for split in SPLITS:
        given = content.get(_KEYS[split], content.get(split))
        if given:
            texts = given if isinstance(given, list) else [given]
            places[split] = tuple(_place(text, root, file) for text in texts)
    if not places:
        raise ValueError(
            f"Received: {file} without train and val. Expected: folders of pictures, such as train: images/train."
        )
    return DataYaml(file, names, places)


def _loaded(file: Path) -> dict[str, Any]:
    import yaml  # type: ignore[import-untyped]

    text = read_text(file)
    try:
        if len(text) > _MOST_BYTES:
            raise ValueError(
                f"Received: {file} of {len(text)} characters. Expected: a short data.yaml."
            )
        for event in yaml.parse(text, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) or (getattr(event, "tag", None) or "!") != "!":
                raise ValueError(
                    f"Received: {file}, line {event.start_mark.line + 1}, with an alias or a tag. Expected: plain "
                    "names and paths."
                )
        content = yaml.load(text, yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ValueError(
            f"Received: {file}{line}, which is no YAML ({getattr(error, 'problem', '')}). Expected: names, train, val."
        ) from None
    if not isinstance(content, dict):
        raise ValueError(f"Received: {file} without keys. Expected: names, train, val.")
    return content


def _names(names: Any, count: Any, file: Path) -> tuple[str, ...]:
    if isinstance(names, dict):
        numbers = [*names]
        if sorted(map(str, numbers)) != sorted(map(str, range(len(numbers)))):
            raise ValueError(
                f"Received: {file} with names of the numbers {str(numbers)[:60]}. Expected: 0, 1, 2, ... without a gap."
            )
        by_number = {int(number): name for number, name in names.items()}
        names = [by_number[number] for number in range(len(by_number))]
    if not isinstance(names, list) or not names:
        raise ValueError(
            f"Received: {file} with names {str(names)[:40]}. Expected: a list of classes, or number: name a line."
        )
    if isinstance(count, int) and count != len(names):
        raise ValueError(
            f"Received: {file} with nc: {count} and {len(names)} names. Expected: a name for each class."
        )
    return tuple(" ".join(str(name).split()) for name in names)


def _place(text: Any, root: Any, file: Path) -> Path:
    """Return the folder or list of a split, relative to `path`, which is relative to the file."""
    if not isinstance(text, str) or (root is not None and not isinstance(root, str)):
        raise ValueError(f"Received: {file} with the path {text!r}. Expected: a text.")
    bases = [file.parent / root, file.parent] if root else [file.parent]
    # "../train/images" of a file beside "train" is what some programs write.
    texts = [text, text.removeprefix("../")]
    candidates = [base / name for name in texts for base in bases]
    found = next((place for place in candidates if place.exists()), None)
    if found is None:
        raise ValueError(
            f"Received: {file} with {text}, which is not at {candidates[0]}. Expected: a folder of pictures, or a text "
            "file with a picture a line; correct path, train and val."
        )
    return found
