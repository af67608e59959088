"""The table of formats: one line for each, and the names of formats that have something in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    synthetic_parts,
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
from ddl.options import read_signature


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
        splits=synthetic_parts.splits,
    ),
    "synthetic-boxes": Format(
        "no file",
        synthetic_boxes.detect,
        synthetic_boxes.open_source,
        on_disk=False,
        splits=synthetic_parts.splits,
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
