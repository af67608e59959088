"""Which pictures to convert, and how: the options of scripts/prepare_data.py as one frozen value."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddl.data import splits
from ddl.data.pictures.conversion import Conversion
from ddl.data.pictures.picture_file import PIXEL_LIMIT
from ddl.data.value_range import check_range
from ddl.files import check_file
from ddl.options import convert_fields
from ddl.ranges import Range, check_choices, check_ranges

LAYOUTS = ("auto", "folders", "pairs", "classes")
ON_ERROR = ("stop", "skip")
COMPRESSIONS = ("none", "lzf", "gzip")
_RANGES = {"workers": Range(0, 1024), "seed": Range(0, 2**32, below=True), "folds": Range(0)}
_CHOICES = {"layout": LAYOUTS, "on_error": ON_ERROR, "compression": COMPRESSIONS}


@dataclass(frozen=True)
class Preparation:
    """Which pictures to convert, and how.

    Attributes:
        source: folder with the pictures.
        output: HDF5 file to write; must not exist.
        image_size: height and width in pixels.
        layout: "pairs" (name.jpg + name_mask.gif), "folders" (images/ + masks/), "classes" (CLASS/name.jpg) or "auto".
        channels: "grey", "rgb" or "rgba".
        bits: 8 or 16 per channel; by default those of the first picture.
        range: stored values that become black and white, such as 0,4095; 1%,99% takes percentiles of the pictures, and
            "data" their smallest and largest value.
        mask_mode: "binary" (1 where not black) or "classes" (grey value or palette index).
        validation: fraction of samples for the validation split.
        test: fraction of samples for the test split.
        folds: number of cross-validation folds, without the test split; 0 for none.
        seed: seed of splits and folds.
        on_error: "stop" at the first unreadable picture, or "skip" and report each.
        compression: "none", "lzf" (fast) or "gzip" (small), for the file's chunks.
        workers: number of converting processes; 0 for one per core.
        pixel_limit: pictures with more pixels are refused before decoding.
    """

    source: Path
    output: Path
    image_size: tuple[int, int] = (128, 128)
    layout: str = "auto"
    channels: str = "rgb"
    bits: int | None = None
    range: str | None = None
    mask_mode: str = "binary"
    validation: float = 0.1
    test: float = 0.1
    folds: int = 0
    seed: int = 0
    on_error: str = "stop"
    compression: str = "none"
    workers: int = 0
    pixel_limit: int = PIXEL_LIMIT

    def __post_init__(self) -> None:
        """Convert every field to its type, and refuse invalid values before anything is read or written."""
        convert_fields(self)
        check_choices(vars(self), _CHOICES)
        check_ranges(vars(self), _RANGES, "prepare_data")
        splits.split_samples(1 << 20, self.validation, self.test, self.seed)
        self.conversion()
        check_range(self.range)
        if self.output.suffix not in (".h5", ".hdf5"):
            raise ValueError(f"Received: output={self.output}. Expected: a name that ends in .h5.")

    def conversion(self) -> Conversion:
        """Return the conversion without a range, and with 8 bits if they are not given: see `complete`."""
        bits = 8 if self.bits is None else self.bits
        return Conversion(self.image_size, self.channels, bits, self.mask_mode, self.pixel_limit)

    def assign(self, count: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the split and fold (if any) of `count` samples."""
        split = splits.split_samples(count, self.validation, self.test, self.seed)
        return split, splits.fold_samples(split, self.folds, self.seed) if self.folds else None

    def check_paths(self) -> None:
        """Refuse a source that is not a folder, and an output that exists or cannot be written."""
        if not self.source.is_dir():
            raise ValueError(
                f"Received: source={self.source}, which is not a folder. Expected: a folder with pictures."
            )
        if self.parts_folder.is_symlink():  # files in it are deleted
            raise ValueError(
                f"Received: output={self.output}, but {self.parts_folder} is a link. Expected: no such file; remove it."
            )
        if self.output.exists():
            # Left by a run that was killed during cleanup.
            shutil.rmtree(self.parts_folder, ignore_errors=True)
        check_file("output", self.output)

    @property
    def parts_folder(self) -> Path:
        """Folder for the parts converted so far."""
        return self.output.with_name(f".{self.output.name}.parts")
