"""Opens data of any known format. Each format has one file, and one line in the table of names.

from ddl.data.sources import open_source

source = open_source("cells.h5", split="train")
batch = source.read([0, 5, 7])          # {"image": (3, height, width, channels), "mask": (3, height, width, 1)}
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.builder_table import BuilderTable
from ddl.data.source import Source
from ddl.data.sources import faces, synthetic
from ddl.data.sources.array_files import hdf5, idx, npy, npz
from ddl.data.sources.picture_folders import classes, folders, pairs
from ddl.files import check_regular
from ddl.options import check_names, read_signature
from ddl.ranges import check_choice


@dataclass(frozen=True)
class Format:
    """One origin of samples.

    Attributes:
        shape: how it looks on disk, for messages.
        detect: returns whether a path has this format.
        open: opens it; its keyword arguments are the format's options.
        on_disk: whether the path must exist.
    """

    shape: str
    detect: Callable[[Path], bool]
    open: Callable[..., Source]
    on_disk: bool = True


# In the order in which they are tried.
FORMATS = {
    "synthetic": Format("no file", synthetic.detect, synthetic.open_source, on_disk=False),
    "synthetic-3d": Format(
        "no file", synthetic.detect_volumes, synthetic.open_volumes, on_disk=False
    ),
    "faces": Format("no file", faces.detect, faces.open_source, on_disk=False),
    "hdf5": Format("NAME.h5", hdf5.detect, hdf5.open_source),
    "npz": Format("NAME.npz", npz.detect, npz.open_source),
    "npy": Format("NAME.npy, or images.npy + masks.npy|labels.npy", npy.detect, npy.open_source),
    "idx": Format("train-images-idx3-ubyte[.gz] + ...labels...", idx.detect, idx.open_source),
    "folders": Format(
        "images/ + masks/ (or such as image/ + label/)", folders.detect, folders.open_source
    ),
    "pairs": Format("name.jpg + name_mask.gif", pairs.detect, pairs.open_source),
    "classes": Format("CLASS/name.jpg", classes.detect, classes.open_source),
}
SOURCES = BuilderTable(
    "data format",
    {name: name for name in FORMATS},
    hidden=("image_size", "size", "split", "fold"),  # fields of a plan
    flags={"image_size": "--image-size", "size": "--image-size", "fold": "--fold"},
    read=lambda name: read_signature(FORMATS[name].open),
)
"""The options that a plan's `data_option` can give to a format."""

PICTURE_FILES = ("pairs", "folders", "classes")
"""Formats whose pictures may differ in size, and are resized to the requested size."""
SEEDED = ("synthetic", "synthetic-3d")
"""Formats that generate pictures of the requested size."""
SIZED = (*PICTURE_FILES, *SEEDED)


def open_source(path: str | Path, format: str = "auto", **options: Any) -> Source:  # noqa: A002
    """Open samples of any known format.

    Args:
        path: a file or folder, or "synthetic", "synthetic-3d" or "faces".
        format: a name in `FORMATS`, or "auto" to detect it.
        options: options of the format, such as `image_size=(128, 128)` of picture files or `split="train"` of HDF5.

    Raises:
        ValueError: the path does not exist, the format or an option is unknown, or the data are damaged.
    """
    path = Path(path)
    check_choice("format", format, ("auto", *FORMATS))
    check_regular(path)
    name = detect_format(path) if format == "auto" else format
    if FORMATS[name].on_disk and not path.exists():
        raise _absent(path)
    opener = FORMATS[name].open
    check_names(options, read_signature(opener), f"data format {name}")
    return opener(path, **options)


def detect_format(path: Path) -> str:
    """Return the name of the format that a path has."""
    for name, candidate in FORMATS.items():
        if (path.exists() or not candidate.on_disk) and candidate.detect(path):
            return name
    if not path.exists():
        raise _absent(path)
    what = "which has no known format"
    if path.is_dir() and not any(path.iterdir()):
        what = "which is an empty folder"
    known = "; ".join(f"{name}: {entry.shape}" for name, entry in FORMATS.items() if entry.on_disk)
    raise ValueError(f"Received: {path}, {what}. Expected: {known}.")


def _absent(path: Path) -> ValueError:
    return ValueError(f"Received: {path}, which does not exist. Expected: a file or folder.")
