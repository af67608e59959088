"""Stores converted samples in small files that appear whole, so that a killed run can resume."""

from __future__ import annotations

import hashlib
import json
import math
import os
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.pictures.conversion import CHANNELS, DEPTHS, Conversion
from ddl.data.pictures.listing import Sample
from ddl.data.pictures.picture_file import read_size
from ddl.data.preparation.preparation import Preparation
from ddl.data.sources.boxed_pictures.conversion import BoxedSample
from ddl.files import archives, clear_partial, put_in_place

PART_BYTES = 8 << 20


@dataclass(frozen=True)
class Task:
    """One part to convert.

    Attributes:
        how: the form to which pictures and masks are converted.
        samples: the part's samples, in the order of the data set.
        path: file of the part. Its name has a digest of options and sources, so that it is never used for other data.
    """

    preparation: Preparation
    how: Conversion
    samples: tuple[Sample, ...]
    path: Path


def plan_parts(preparation: Preparation, how: Conversion, samples: Sequence[Sample]) -> list[Task]:
    """Divide the samples into parts of at most 8 MiB and 32 samples, the most that a killed worker repeats."""
    pixel_bytes = CHANNELS[how.channels] * DEPTHS[how.bits].itemsize + 1  # picture and mask
    length = max(1, min(32, PART_BYTES // (math.prod(preparation.image_size) * pixel_bytes)))
    tasks = []
    for start in range(0, len(samples), length):
        chosen = tuple(samples[start : start + length])
        name = f"{start:09d}-{_digest(preparation, how, chosen)}.npz"
        tasks.append(Task(preparation, how, chosen, preparation.parts_folder / name))
    return tasks


def make_part(task: Task) -> None:
    """Convert a part's samples and write them, whole or not at all.

    Raises:
        ValueError: a picture is unreadable, and the preparation does not skip such pictures.
        OSError: the part cannot be written.
    """
    root, how = task.preparation.source, task.how
    rows: list[dict[str, np.ndarray]] = []
    records: list[dict[str, Any]] = []
    for sample in task.samples:
        record: dict[str, Any] = {"name": _name(sample.image, root)}
        if sample.label is not None:
            record["label"] = sample.label
        try:
            row = how.read(sample)
            if isinstance(sample, BoxedSample):
                size = sample.size if all(sample.size) else read_size(sample.image)
                record |= {"size": size, "id": sample.number, "split": sample.split}
            record["files"] = [_checksummed(root, path) for path in _paths(sample)]
            rows.append(row)
        except ValueError as error:
            if task.preparation.on_error == "stop":
                raise
            record["error"] = str(error)
        records.append(record)
    arrays: dict[str, Any] = {
        name: np.stack([row[name] for row in rows]) for name in (rows[0] if rows else ())
    }
    text = np.frombuffer(json.dumps(records).encode(), np.uint8)
    partial = task.path.with_suffix(f".{os.getpid()}.tmp")
    clear_partial(partial)
    with partial.open("wb") as file:
        np.savez(file, records=text, **arrays)
    put_in_place(partial, task.path)


def read_part(path: Path) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Return a part's records (one per sample, good or bad) and the arrays of its good samples."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return json.loads(arrays.pop("records").tobytes()), arrays


def is_whole(path: Path) -> bool:
    """Return whether a part exists and its checksums match."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except archives.DAMAGE:
        return False


def _paths(sample: Sample) -> list[Path]:
    return [path for path in (sample.image, sample.mask) if path is not None]


def _name(path: Path, root: Path) -> str:
    """Return a file's name below the source; what is elsewhere, as YOLO's `data.yaml` may say, has its own path."""
    place = path.absolute()
    whole = root.absolute()
    return place.relative_to(whole).as_posix() if place.is_relative_to(whole) else str(path)


def _checksummed(root: Path, path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        size = file.tell()
    return {"name": _name(path, root), "bytes": size, "sha256": digest.hexdigest()}


def _digest(preparation: Preparation, how: Conversion, samples: Sequence[Sample]) -> str:
    """Return a digest of options and files, including their modification times."""
    facts: list[Any] = [asdict(how), preparation.on_error == "skip"]
    for sample in samples:
        facts.append(sample.label)
        if isinstance(sample, BoxedSample):
            facts.append([sample.rows, sample.size, sample.number, sample.split])
        for path in _paths(sample):
            status, name = path.stat(), _name(path, preparation.source)
            facts.append([name, status.st_size, status.st_mtime_ns])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
