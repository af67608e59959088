"""Which pictures to convert, and how: the options of scripts/prepare_data.py as one frozen value."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddl.boxes.fitting import FITS
from ddl.data import splits
from ddl.data.pictures.conversion import Conversion
from ddl.data.pictures.picture_file import PIXEL_LIMIT
from ddl.data.sources.boxed_pictures.annotations import WRONG_BOXES
from ddl.data.sources.boxed_pictures.conversion import BoxedConversion
from ddl.data.value_range import check_range
from ddl.files import check_file
from ddl.options import convert_fields
from ddl.ranges import Range, check_choices, check_ranges

LAYOUTS = ("auto", "folders", "pairs", "classes", "coco", "yolo", "voc")
ON_ERROR = ("stop", "skip")
COMPRESSIONS = ("none", "lzf", "gzip")
_RANGES = {"workers": Range(0, 1024), "seed": Range(0, 2**32, below=True), "folds": Range(0)}
_CHOICES = {
    "layout": LAYOUTS,
    "on_error": ON_ERROR,
    "compression": COMPRESSIONS,
    "fit": FITS,
    "wrong_boxes": WRONG_BOXES,
}


@dataclass(frozen=True)
class Preparation:
    """Which pictures to convert, and how.

    Attributes:
        source: folder with the pictures.
        output: HDF5 file to write; must not exist.
        image_size: height and width in pixels.
        layout: "pairs" (name.jpg + name_mask.gif), "folders" (images/ + masks/), "classes" (CLASS/name.jpg), "coco",
            "yolo" or "voc" (pictures with boxes), or "auto".
        channels: "grey", "rgb" or "rgba".
        bits: 8 or 16 per channel; by default those of the first picture.
        range: stored values that become black and white, such as 0,4095; 1%,99% takes percentiles of the pictures, and
            "data" their smallest and largest value.
        mask_mode: "binary" (1 where not black) or "classes" (grey value or palette index).
        validation: fraction of samples for the validation split; data with such a split of their own keep it.
        test: fraction of samples for the test split; data with such a split of their own keep it.
        folds: number of cross-validation folds, without the test split; 0 for none.
        seed: seed of splits and folds.
        on_error: "stop" at the first unreadable picture, or "skip" and report each.
        compression: "none", "lzf" (fast) or "gzip" (small), for the file's chunks.
        workers: number of converting processes; 0 for one per core.
        pixel_limit: pictures with more pixels are refused before decoding.
        fit: how pictures with boxes come to the size: "letterbox" (whole, between grey borders) or "stretch".
        wrong_boxes: "stop" at a box that is not inside its picture, or "mend": cut it, or leave it out.
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
    fit: str = "letterbox"
    wrong_boxes: str = "stop"

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

    def boxed_conversion(self, most: int) -> BoxedConversion:
        """Return that of pictures with at most so many boxes."""
        form = self.conversion()
        return BoxedConversion(**vars(form), fit=self.fit, most=most)

    def check_boxes(self, has_boxes: bool) -> None:
        """Refuse options that are for boxes or for masks where there are none."""
        for name in ("mask_mode",) if has_boxes else ("fit", "wrong_boxes"):
            if getattr(self, name) != getattr(type(self), name):
                what = "with boxes" if has_boxes else "without boxes"
                raise ValueError(
                    f"Received: {name}={getattr(self, name)} for {self.source}, pictures {what}. Expected: no {name}."
                )

    def assign(
        self, count: int, own: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the split and fold (if any) of `count` samples.

        Args:
            count: number of samples.
            own: the split of each, for data with splits of their own; a part that they lack is taken from the training
                samples.
        """
        split = self._own_split(own) if own is not None else self._drawn(count)
        return split, splits.fold_samples(split, self.folds, self.seed) if self.folds else None

    def _drawn(self, count: int) -> np.ndarray:
        return splits.split_samples(count, self.validation, self.test, self.seed)

    def _own_split(self, own: np.ndarray) -> np.ndarray:
        """Return the splits that data have, and those that they lack."""
        parts = {}
        for number, name in enumerate(splits.SPLITS[1:], 1):
            given, usual = getattr(self, name), getattr(type(self), name)
            has_own = bool((own == number).any())
            if has_own and given != usual:
                raise ValueError(
                    f"Received: {name}={given:g} for {self.source}, which has a {name} split of its own. Expected: no "
                    f"{name}; the file keeps the splits of the data."
                )
            parts[name] = 0.0 if has_own or given == usual else given
        if not parts["validation"] and not (own == 1).any():
            parts["validation"] = self.validation
        result: np.ndarray = own.astype(np.uint8)
        training = np.flatnonzero(own == 0)
        result[training] = splits.split_samples(len(training), **parts, seed=self.seed)
        return result

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
