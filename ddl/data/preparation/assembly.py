"""Joins converted parts, in order, into one HDF5 file with a manifest and a checksum for every chunk."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ddl import __version__
from ddl.boxes.rows import CLASS
from ddl.data.pictures.conversion import Conversion
from ddl.data.pictures.listing import Listing
from ddl.data.preparation.converted_parts import read_part
from ddl.data.preparation.preparation import Preparation
from ddl.data.source import Field
from ddl.data.splits import SPLITS
from ddl.files import clear_partial, put_in_place
from ddl.files.closable_file import ClosableFile

CHUNK_BYTES = 16 << 10  # small samples share a chunk; reading one reads the whole chunk


def assemble(
    preparation: Preparation,
    how: Conversion,
    listing: Listing,
    parts: Sequence[Path],
    more: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """Write the data set beside the parts and move it into place. Return one line per skipped sample.

    `more` is added to the manifest.

    Raises:
        ValueError: no sample could be read.
    """
    import h5py

    records, fields = _survey(parts)
    good = [record for record in records if "error" not in record]
    bad = [record for record in records if "error" in record]
    skipped = (*listing.problems, *(record["error"] for record in bad))
    if not good:
        for part in parts:
            part.unlink()
        raise ValueError(
            f"Received: no readable picture. Expected: at least one; the first problem: {skipped[0]}"
        )
    manifest = {**_manifest(preparation, how, listing, good, skipped), **(more or {})}
    partial = preparation.parts_folder / "assembled.h5"
    clear_partial(partial)
    # The oldest format with all we need. It stores no times, so the same samples give the same bytes.
    with (
        ClosableFile(partial) as output,
        h5py.File(output, "w", libver=("earliest", "v108")) as file,
    ):
        digests = _write_samples(file, output, parts, fields, len(good), preparation.compression)
        if how.mask_mode == "classes" and "mask" in fields:
            manifest["mask_values"] = _mask_values(parts)
        if "boxes" in fields:
            manifest["box_counts"] = _box_counts(parts, len(listing.class_names))
        own = [SPLITS.index(record["split"]) for record in good if record.get("split")]
        file["split"], folds = preparation.assign(len(good), np.array(own) if own else None)
        if folds is not None:
            file["fold"] = folds
        file["manifest"] = json.dumps(manifest | {"sha256": digests}, indent=1, sort_keys=True)
    put_in_place(partial, preparation.output)
    return skipped


def _survey(parts: Sequence[Path]) -> tuple[list[dict[str, Any]], dict[str, Field]]:
    """Return the records of all samples, and the fields of the good ones."""
    records: list[dict[str, Any]] = []
    fields: dict[str, Field] = {}
    for part in parts:
        of_part, arrays = read_part(part)
        records += of_part
        fields |= {name: Field(array.shape[1:], array.dtype) for name, array in arrays.items()}
    return records, fields


def _write_samples(
    file: Any,
    output: ClosableFile,
    parts: Sequence[Path],
    fields: dict[str, Field],
    count: int,
    compression: str,
) -> dict[str, str]:
    """Write every field, one part at a time. Return the SHA-256 of each field's values."""
    for name, field in fields.items():
        rows = max(1, min(count, CHUNK_BYTES // field.nbytes))
        file.create_dataset(
            name,
            (count, *field.shape),
            field.dtype,
            chunks=(rows, *field.shape),
            fletcher32=True,
            compression=None if compression == "none" else compression,
            shuffle=compression != "none",
        )
    digests = {name: hashlib.sha256() for name in fields}
    start = 0
    for part in parts:
        _, arrays = read_part(part)
        length = len(next(iter(arrays.values()), ()))
        for name, array in arrays.items():
            file[name][start : start + length] = array
            digests[name].update(array.tobytes())
        output.check()  # stop at the first write error
        start += length
    return {name: digest.hexdigest() for name, digest in digests.items()}


def _mask_values(parts: Sequence[Path]) -> list[int]:
    """Return the class numbers that the masks hold, in order."""
    values: set[int] = set()
    for part in parts:
        _, arrays = read_part(part)
        values.update(np.unique(arrays.get("mask", np.zeros(0, np.uint8))).tolist())
    return sorted(values)


def _box_counts(parts: Sequence[Path], classes: int) -> list[int]:
    """Return the number of boxes of each class."""
    counts = np.zeros(classes, np.int64)
    for part in parts:
        rows = read_part(part)[1].get("boxes")
        if rows is not None:
            numbers = rows[..., CLASS][rows[..., CLASS] >= 0].astype(np.int64)
            counts += np.bincount(numbers, minlength=classes)
    return counts.tolist()


def _manifest(
    preparation: Preparation,
    how: Conversion,
    listing: Listing,
    good: Sequence[dict[str, Any]],
    skipped: Sequence[str],
) -> dict[str, Any]:
    """Return a record of sources, options and versions. It does not depend on time, place or number of workers."""
    left_out = ("source", "output", "workers")
    options = {k: v for k, v in dataclasses.asdict(preparation).items() if k not in left_out}
    options |= {"bits": how.bits, "range": how.range}
    prefix = f"{listing.root}{os.sep}"
    return {
        "format": "ddl-pictures-1",
        "options": options,
        "class_names": list(listing.class_names),
        "samples": list(good),
        "skipped": [line.replace(prefix, "") for line in skipped],
        "versions": {
            "ddl": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("h5py", "numpy", "pillow", "scikit-image")},
        },
    }
