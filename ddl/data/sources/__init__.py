"""Opens data of any known format. Each format has one file, and one line in the table of names.

from ddl.data.sources import open_source

source = open_source("cells.h5", split="train")
batch = source.read([0, 5, 7])          # {"image": (3, height, width, channels), "mask": (3, height, width, 1)}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ddl.data.source import Source
from ddl.data.sources.formats import (
    BOXED_PICTURES,
    FORMATS,
    PICTURE_FILES,
    PICTURE_FOLDERS,
    SEEDED,
    SIZED,
    SOURCES,
    Format,
)
from ddl.files import check_regular
from ddl.options import check_names, read_signature
from ddl.ranges import check_choice

__all__ = [
    "BOXED_PICTURES",
    "FORMATS",
    "FORMAT_OPTION",
    "PICTURE_FILES",
    "PICTURE_FOLDERS",
    "SEEDED",
    "SIZED",
    "SOURCES",
    "Format",
    "check_source_options",
    "detect_format",
    "format_of",
    "held_out_split",
    "open_source",
    "parse_source_options",
    "splits_of",
]


def open_source(path: str | Path, format: str = "auto", **options: Any) -> Source:  # noqa: A002
    """Open samples of any known format.

    Args:
        path: a file or folder, or "synthetic", "synthetic-3d", "synthetic-labels", "synthetic-boxes" or "faces".
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


FORMAT_OPTION = "format"
"""Name of the option that sets the format in place of what is detected."""


def format_of(path: str | Path, options: Mapping[str, Any] | None = None) -> str:
    """Return the format of data: that in their options ("tagged" where these have a tag), or the one detected."""
    options = options or {}
    given = options.get(FORMAT_OPTION, "tagged" if options.get("tag") else None)
    if given is None:
        return detect_format(Path(path))
    check_choice("format", given, FORMATS)
    if FORMATS[given].on_disk and not Path(path).exists():
        raise _absent(Path(path))
    return str(given)


def parse_source_options(path: str | Path, texts: Iterable[str]) -> dict[str, Any]:
    """Return the options of data from texts such as "keys=raw,seg"; one of them may be "format=NAME"."""
    texts = list(texts)
    pairs_given = [text.partition("=")[::2] for text in texts]
    named = {name.strip(): value.strip() for name, value in pairs_given}
    own = {name: named[name] for name in (FORMAT_OPTION,) if name in named}
    rest = [text for text in texts if text.partition("=")[0].strip() not in own]
    if len(texts) - len(rest) > len(own):
        raise ValueError(f"Received: option {FORMAT_OPTION!r} of {path} twice. Expected: once.")
    return {**own, **SOURCES.parse(format_of(path, named), rest)}


def check_source_options(
    path: str | Path, options: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return the format of data, and its options converted to their types."""
    name = format_of(path, options)
    rest = {key: value for key, value in options.items() if key != FORMAT_OPTION}
    return name, SOURCES.check(name, **rest)


def splits_of(path: str | Path, options: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Return which of `ddl.data.splits.SPLITS` data have of their own.

    Args:
        path: the data.
        options: options of their format; the names of data sets decide whether an HDF5 file can be read.
    """
    path = Path(path)
    return FORMATS[format_of(path, options)].splits(path, options or {})


def held_out_split(
    path: str | Path, wanted: str, options: Mapping[str, Any] | None = None
) -> str | None:
    """Return the split that opens data given for validation or test: "validation" takes that of a test, too.

    None where the data have no splits, or are read whole unless a split is named, as HDF5 files are.
    """
    name = format_of(path, options)
    option = read_signature(FORMATS[name].open).get("split")
    if option is None or option.default is None:
        return None
    there = splits_of(path, options)
    order = dict.fromkeys((wanted, "test", "validation", "train"))
    return next((split for split in order if split in there), None)


def _absent(path: Path) -> ValueError:
    return ValueError(f"Received: {path}, which does not exist. Expected: a file or folder.")
