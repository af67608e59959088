"""CIFAR-10 and CIFAR-100 in their binary version: a folder, or the `.tar.gz` as it is downloaded, read in place.

A record is the label (CIFAR-100: the coarse and the fine label), then 1024 red, 1024 green and 1024 blue bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.source import Source
from ddl.data.sources.array_files.tar_members import is_archive, read_members
from ddl.data.sources.arrays import MEMORY_LIMIT, Arrays
from ddl.data.sources.joined import JoinedArrays
from ddl.data.sources.ranged import with_range
from ddl.files import check_regular
from ddl.files.regular import read_text
from ddl.ranges import check_choice

SIDE, CHANNELS = 32, 3
LABELS = ("fine", "coarse")
_PICTURE_BYTES = SIDE * SIDE * CHANNELS
_NAMES_BYTES = 1 << 16


@dataclass(frozen=True)
class Version:
    """The files of CIFAR-10 or CIFAR-100.

    Attributes:
        name: as messages call it.
        splits: split -> its files, in order.
        classes: kind of label -> number of classes; in the order of the bytes of a record.
        class_files: kind of label -> file with the names of its classes.
        folder: the folder in the archive.
    """

    name: str
    splits: Mapping[str, tuple[str, ...]]
    classes: Mapping[str, int]
    class_files: Mapping[str, str]
    folder: str

    @property
    def record_bytes(self) -> int:
        return len(self.classes) + _PICTURE_BYTES

    @property
    def files(self) -> set[str]:
        """Names of all files that are read."""
        data = {name for names in self.splits.values() for name in names}
        return data | set(self.class_files.values())


VERSIONS = (
    Version(
        "CIFAR-10",
        {
            "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
            "test": ("test_batch.bin",),
        },
        {"fine": 10},
        {"fine": "batches.meta.txt"},
        "cifar-10-batches-bin",
    ),
    Version(
        "CIFAR-100",
        {"train": ("train.bin",), "test": ("test.bin",)},
        {"coarse": 20, "fine": 100},
        {"coarse": "coarse_label_names.txt", "fine": "fine_label_names.txt"},
        "cifar-100-binary",
    ),
)
_PICKLES = ("data_batch_1", "test_batch", "batches.meta", "cifar-10-batches-py", "cifar-100-python")
_PICKLES_OF_100 = ("train", "test", "meta")
"""Files and folders of the version for Python."""


def detect(path: Path) -> bool:
    """Return whether it is an archive, or a folder with files of CIFAR; those of the version for Python count too."""
    return is_archive(path) or (path.is_dir() and (_has_files(_inner(path)) or _has_pickles(path)))


def splits(path: Path, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the splits that a folder holds; an archive holds both."""
    del options
    if not path.is_dir():
        return ("train", "test")
    inner = _inner(path)
    version = _version({file.name for file in inner.iterdir()}, path)
    return tuple(name for name, files in version.splits.items() if (inner / files[0]).is_file())


def open_source(
    path: Path,
    *,
    split: str = "train",
    labels: str = "fine",
    range: str | None = None,  # noqa: A002
    memory_limit: int = MEMORY_LIMIT,
) -> Source:
    """Open the pictures and labels of one split.

    Args:
        path: the folder with the `.bin` files, or the archive.
        split: "train" or "test".
        labels: "fine" or "coarse", for CIFAR-100.
        range: the stored values that become 0 and 1, see `ddl.data.value_range`.
        memory_limit: maximum size of an archive's content, which is held in memory.
    """
    check_choice("split", split, ("train", "test"))
    check_choice("labels", labels, LABELS)
    if is_archive(path):
        return with_range(_from_archive(path, split, labels, memory_limit), range)
    return with_range(_from_folder(path, split, labels), range)


def _from_folder(path: Path, split: str, labels: str) -> Source:
    inner = _inner(path)
    present = {file.name for file in inner.iterdir()} if inner.is_dir() else set()
    version = _version(present, path)
    files = _expected(version, split, present, path)
    parts = {str(inner / name): _records(inner / name, version, labels) for name in files}
    names = inner / version.class_files[labels]
    text = read_text(names) if names.is_file() else ""
    return JoinedArrays(parts, str(path), _class_names(version, labels, text, names))


def _records(path: Path, version: Version, labels: str) -> dict[str, np.ndarray]:
    """Return the arrays of a file; the pictures are mapped."""
    check_regular(path)
    size = path.stat().st_size
    _check_size(path, size, version)
    return _arrays(path, np.memmap(path, np.uint8, "r"), version, labels)


def _from_archive(path: Path, split: str, labels: str, limit: int) -> Source:
    """Hold one split in memory: a gzipped file has no random access."""
    contents: dict[str, bytes] = {}
    known = {name for version in VERSIONS for name in version.files}
    present = set()
    for member, content in read_members(path, limit):
        present.add(member.name)
        if member.name in contents:
            raise ValueError(
                f"Received: {member.name} in two folders of {path}. Expected: one CIFAR; download it again."
            )
        if member.name in known and not _is_of_other_split(member.name, split):
            contents[member.name] = content
    version = _version(present, path)
    parts = []
    for name in _expected(version, split, present, path):
        content = contents.pop(name)
        origin = f"{name} in {path}"
        _check_size(origin, len(content), version)
        arrays = _arrays(origin, np.frombuffer(content, np.uint8), version, labels)
        parts.append({field: np.ascontiguousarray(array) for field, array in arrays.items()})
    joined = {field: np.concatenate([part[field] for part in parts]) for field in parts[0]}
    source = Arrays(joined, str(path))
    file = version.class_files[labels]
    text = contents.get(file, b"")[:_NAMES_BYTES].decode("utf-8", "replace")
    source.class_names = _class_names(version, labels, text, f"{file} in {path}")
    return source


def _is_of_other_split(name: str, split: str) -> bool:
    return any(
        name in files
        for version in VERSIONS
        for other, files in version.splits.items()
        if other != split
    )


def _arrays(
    origin: object, values: np.ndarray, version: Version, labels: str
) -> dict[str, np.ndarray]:
    """Return pictures, channels last, as a view of the records, and labels, whose range is checked."""
    records = values.reshape(-1, version.record_bytes)
    kinds = [*version.classes]
    if labels not in kinds:
        raise ValueError(
            f"Received: labels={labels} for {version.name} in {origin}. Expected: labels=fine, its only ones."
        )
    label = np.asarray(records[:, kinds.index(labels)], np.int64)
    wrong = np.flatnonzero(label >= version.classes[labels])
    if len(wrong):
        raise ValueError(
            f"Received: label {label[wrong[0]]} in sample {wrong[0]} of {origin}. Expected: 0 to "
            f"{version.classes[labels] - 1} in {version.name}; download it again."
        )
    planes = records[:, len(kinds) :].reshape(-1, CHANNELS, SIDE, SIDE)
    return {"image": planes.transpose(0, 2, 3, 1), "label": label}


def _check_size(origin: object, size: int, version: Version) -> None:
    if size == 0 or size % version.record_bytes:
        raise ValueError(
            f"Received: {origin} of {size} bytes. Expected: a multiple of {version.record_bytes}, the record of "
            f"{version.name}; it is cut short or not CIFAR's: download it again."
        )


def _version(present: Iterable[str], path: Path) -> Version:
    """Return the version whose files are present."""
    present = set(present)
    found = [
        version
        for version in VERSIONS
        if any(name in present for files in version.splits.values() for name in files)
    ]
    if len(found) == 1:
        return found[0]
    if not found and present & {*_PICKLES, *_PICKLES_OF_100}:
        raise ValueError(
            f"Received: {path}, the version of CIFAR for Python, which is pickled: to load it can run any code. "
            "Expected: the binary version, such as cifar-10-binary.tar.gz, from the same page."
        )
    what = "files of both CIFAR-10 and CIFAR-100" if found else "no file of CIFAR's binary version"
    raise ValueError(
        f"Received: {path} with {what}. Expected: {', '.join(_listed())} beside each other."
    )


def _listed() -> Iterator[str]:
    for version in VERSIONS:
        names = [name for files in version.splits.values() for name in (files[0], files[-1])]
        yield f"{' and '.join(dict.fromkeys(names))} ({version.name})"


def _expected(version: Version, split: str, present: set[str], path: Path) -> tuple[str, ...]:
    """Return the files of a split, all of which must be there: a set with a batch missing would train worse."""
    files = version.splits[split]
    missing = [name for name in files if name not in present]
    if missing:
        raise ValueError(
            f"Received: {path} without {', '.join(missing)}. Expected: all files of the {split} split of "
            f"{version.name}: {', '.join(files)}."
        )
    return files


def _class_names(version: Version, labels: str, text: str, origin: object) -> tuple[str, ...]:
    """Return the names of the classes, or their numbers without a file of names."""
    count = version.classes[labels]
    names = tuple(text[:_NAMES_BYTES].split())
    if names and len(names) != count:
        raise ValueError(
            f"Received: {origin} with {len(names)} names. Expected: {count}, one a line; download it again."
        )
    return names or tuple(map(str, np.arange(count)))


def _inner(path: Path) -> Path:
    """Return the folder with the files: the path, or the folder that the archive makes in it."""
    for version in VERSIONS:
        if (path / version.folder).is_dir():
            return path / version.folder
    return path


def _has_files(path: Path) -> bool:
    if any((path / name).is_file() for name in ("data_batch_1.bin", "test_batch.bin")):
        return True
    return all((path / name).is_file() for name in ("train.bin", "test.bin"))


def _has_pickles(path: Path) -> bool:
    if any((path / name).exists() for name in _PICKLES):
        return True
    return all((path / name).is_file() for name in _PICKLES_OF_100)
