"""Opens data of any known format. Each format has one file, and one line in the table of names.

from ddl.data.sources import open_source

source = open_source("cells.h5", split="train")
batch = source.read([0, 5, 7])          # {"image": (3, height, width, channels), "mask": (3, height, width, 1)}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.builder_table import BuilderTable
from ddl.data.source import Source
from ddl.data.sources import (
    equation_inputs,
    faces,
    synthetic,
    synthetic_boxes,
    synthetic_labels,
)
from ddl.data.sources.array_files import (
    channels_first,
    cifar,
    hdf5,
    idx,
    npy,
    npz,
    npz_folder,
)
from ddl.data.sources.boxed_pictures import coco, voc, yolo
from ddl.data.sources.delimited_text import delimited
from ddl.data.sources.picture_folders import (
    classes,
    folders,
    pairs,
    pictures,
    split_classes,
    tagged,
)
from ddl.data.sources.records import tfrecord
from ddl.files import check_regular
from ddl.options import check_names, read_signature
from ddl.ranges import check_choice


def _no_splits(path: Path, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the splits of a format without any."""
    return ()


@dataclass(frozen=True)
class Format:
    """One origin of samples.

    Attributes:
        shape: how it looks on disk, for messages.
        detect: returns whether a path has this format.
        open: opens it; its keyword arguments are the format's options.
        on_disk: whether the path must exist.
        splits: returns which of `ddl.data.splits.SPLITS` a path has, given the options of a plan. Formats that have
            some have an option `split`.
    """

    shape: str
    detect: Callable[[Path], bool]
    open: Callable[..., Source]
    on_disk: bool = True
    splits: Callable[[Path, Mapping[str, Any]], tuple[str, ...]] = _no_splits


# In the order in which they are tried.
FORMATS = {
    "synthetic": Format("no file", synthetic.detect, synthetic.open_source, on_disk=False),
    "synthetic-3d": Format(
        "no file", synthetic.detect_volumes, synthetic.open_volumes, on_disk=False
    ),
    "synthetic-labels": Format(
        "no file",
        synthetic_labels.detect,
        synthetic_labels.open_source,
        on_disk=False,
        splits=synthetic_labels.splits,
    ),
    "synthetic-boxes": Format(
        "no file",
        synthetic_boxes.detect,
        synthetic_boxes.open_source,
        on_disk=False,
        splits=synthetic_boxes.splits,
    ),
    "faces": Format("no file", faces.detect, faces.open_source, on_disk=False),
    "diffusion-maps": Format(
        "no file", equation_inputs.detect_maps, equation_inputs.open_maps, on_disk=False
    ),
    "diffusion-maps-3d": Format(
        "no file", equation_inputs.detect_volumes, equation_inputs.open_volumes, on_disk=False
    ),
    "burgers": Format(
        "no file",
        equation_inputs.detect_burgers,
        equation_inputs.open_burgers,
        on_disk=False,
        splits=equation_inputs.burgers_splits,
    ),
    "hdf5": Format("NAME.h5", hdf5.detect, hdf5.open_source, splits=hdf5.splits),
    "npz": Format("NAME.npz", npz.detect, npz.open_source),
    "npy": Format("NAME.npy, or images.npy + masks.npy|labels.npy", npy.detect, npy.open_source),
    "idx": Format(
        "train-images-idx3-ubyte[.gz] + ...labels...",
        idx.detect,
        idx.open_source,
        splits=idx.splits,
    ),
    "cifar": Format(
        "data_batch_1.bin ... or train.bin, or their .tar.gz",
        cifar.detect,
        cifar.open_source,
        splits=cifar.splits,
    ),
    "coco": Format(
        "annotations/instances_train2017.json + train2017/, or NAME.json beside its pictures",
        coco.detect,
        coco.open_source,
        splits=coco.splits,
    ),
    "yolo": Format(
        "images/train/name.jpg + labels/train/name.txt, or data.yaml",
        yolo.detect,
        yolo.open_source,
        splits=yolo.splits,
    ),
    "voc": Format(
        "JPEGImages/name.jpg + Annotations/name.xml + ImageSets/Main/train.txt",
        voc.detect,
        voc.open_source,
        splits=voc.splits,
    ),
    "folders": Format(
        "images/ + masks/ (or such as image/ + label/)", folders.detect, folders.open_source
    ),
    "pairs": Format("name.jpg + name_mask.gif", pairs.detect, pairs.open_source),
    "split-classes": Format(
        "train/CLASS/name.jpg + val/CLASS/name.jpg, or val/name.jpg + val.txt",
        split_classes.detect,
        split_classes.open_source,
        splits=split_classes.splits,
    ),
    "classes": Format("CLASS/name.jpg", classes.detect, classes.open_source),
    "tfrecord": Format(
        "train-00000-of-00008 ..., or NAME.tfrecord",
        tfrecord.detect,
        tfrecord.open_source,
        splits=tfrecord.splits,
    ),
    "npz-folder": Format(
        "a folder of NAME.npz",
        npz_folder.detect,
        npz_folder.open_source,
        splits=npz_folder.splits,
    ),
    "pictures": Format(
        "pictures alone, in a folder at any depth", pictures.detect, pictures.open_source
    ),
    "tagged": Format(
        "TAG/CLASS/name.jpg at any depth, with tag=TAG",
        tagged.detect,
        tagged.open_source,
        splits=tagged.splits,
    ),
    "channels-first": Format(
        "arrays (C, H, W) in .npy, .npz or .h5, with format=channels-first",
        channels_first.detect,
        channels_first.open_source,
    ),
    "delimited": Format(
        "NAME.csv, .tsv or .txt, a row of numbers a line",
        delimited.detect,
        delimited.open_source,
        splits=delimited.splits,
    ),
}
SOURCES = BuilderTable(
    "data format",
    {name: name for name in FORMATS},
    hidden=("image_size", "size", "fold"),  # fields of a plan
    flags={"image_size": "--image-size", "size": "--image-size", "fold": "--fold"},
    read=lambda name: read_signature(FORMATS[name].open),
)
"""The options that a plan's `data_option` can give to a format."""

PICTURE_FOLDERS = ("pairs", "folders", "classes", "split-classes", "pictures", "tagged")
BOXED_PICTURES = ("coco", "yolo", "voc")
PICTURE_FILES = (*PICTURE_FOLDERS, *BOXED_PICTURES, "tfrecord")
"""Formats whose pictures may differ in size, and are resized to the requested size."""
SEEDED = (
    *("synthetic", "synthetic-3d", "synthetic-labels", "synthetic-boxes"),
    *("diffusion-maps", "diffusion-maps-3d", "burgers"),
)
"""Formats that generate pictures of the requested size."""
SIZED = (*PICTURE_FILES, *SEEDED)


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
