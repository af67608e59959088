"""What is predicted, and how, as one frozen value: whatever the flags of scripts/predict.py can say."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.data.pictures.picture_file import PIXEL_LIMIT
from ddl.data.preprocessing import Preprocessing
from ddl.inference.backends.predictor import MODES, PRECISIONS
from ddl.inference.prediction.row_writers import SUFFIXES
from ddl.inference.tiles.flips import KINDS
from ddl.inference.tiles.segmenter import SCALES, Cut
from ddl.options import convert_fields
from ddl.ranges import Range, check_choices, check_ranges

ON_ERROR = ("stop", "skip")
_CHOICES = {
    "format": tuple(SUFFIXES),
    "scale": SCALES,
    "tta": KINDS,
    "mode": MODES,
    "inference_precision": PRECISIONS,
    "on_error": ON_ERROR,
}
_RANGES = {
    "overlap": Range(0),
    "batch_size": Range(1),
    "threshold": Range(0, 1, below=True),
    "threads": Range(0, 1024),
    "pixel_limit": Range(1),
}
_CHANGE_NOTHING = ("model", "checkpoint", "output", "mode", "threads", "on_error", "pixel_limit")


@dataclass(frozen=True)
class Prediction:
    """What is predicted.

    Attributes:
        model: a run directory, a checkpoint, or a model file with NAME.preprocessing.json beside it.
        input: a folder of pictures, a list of them (.txt), a picture or volume, or an HDF5, .npy or .npz file.
        output: folder for the results; one that holds some of the same prediction is filled up.
        checkpoint: of a run directory: "final" (model.keras), "best", "auto" (the newest) or an epoch's number.
        format: of masks: "png", "tiff", "npy" or "hdf5".
        tile: side of the tiles that pictures are cut into, such as 256 or 256x512; without, pictures of more than a
            megapixel are cut into 512, volumes into 96.
        overlap: pixels that neighbouring tiles share; without, 128, in volumes 32, at most half a tile.
        scale: of picture files: "trained" brings them to the size that the training brought them to, and masks back;
            "native" predicts them as they are.
        tta: test-time augmentation: "flips" takes the mean over mirror images; "none".
        threshold: above which a probability is foreground, of one class.
        probabilities: write these, too, float32.
        overlay: draw each picture with the outlines of its mask, too.
        batch_size: tiles or pictures that are predicted at once.
        backend: what computes: "auto" (by the file's name), "keras", "openvino", "onnx", "tflite" or "savedmodel".
        mode: "throughput" for many pictures, "latency" for one.
        inference_precision: "f32", or "bf16" (openvino alone): faster on processors that have it, less exact.
        threads: that compute on each rank; 0 takes its share of the cores.
        pixel_limit: pictures with more pixels are refused before they are decoded.
        on_error: "stop" at the first bad picture, or "skip" each and name it.
    """

    model: Path
    input: Path
    output: Path
    checkpoint: str = "final"
    format: str = "png"
    tile: tuple[int, ...] | None = None
    overlap: int | None = None
    scale: str = "trained"
    tta: str = "none"
    threshold: float = 0.5
    probabilities: bool = False
    overlay: bool = False
    batch_size: int = 4
    backend: str = "auto"
    mode: str = "throughput"
    inference_precision: str = "f32"
    threads: int = 0
    pixel_limit: int = PIXEL_LIMIT
    on_error: str = "stop"

    def __post_init__(self) -> None:
        """Give every field its type, and refuse what no prediction can be."""
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "prediction")
        check_choices(vars(self), _CHOICES)
        if self.tile is not None and (not self.tile or min(self.tile) < 1):
            raise ValueError(f"Received: tile={self.tile}. Expected: pixels, such as 256.")

    @property
    def cut(self) -> Cut:
        """How pictures are brought before the model."""
        return Cut(self.tile or (), self.overlap, self.scale, self.batch_size)

    def check_model(self, how: Preprocessing) -> None:
        """Refuse what this model would ignore in silence, or cannot do.

        Raises:
            ValueError: with what to say instead.
        """
        default = {field.name: field.default for field in dataclasses.fields(self)}
        given = [n for n in default if getattr(self, n) != default[n]]
        masks_only = ("format", "tile", "overlap", "threshold", "probabilities", "overlay", "scale")
        for name in given:
            if how.target == "label" and name in masks_only:
                raise ValueError(
                    f"Received: {name} for a model that finds labels. Expected: none; it is for masks."
                )
        if how.target == "label":
            return
        if "threshold" in given and how.classes > 1:
            raise ValueError(
                f"Received: threshold={self.threshold} for {how.classes} classes. Expected: none; the most probable "
                "class is taken."
            )
        if how.classes > 256:
            raise ValueError(f"Received: a model of {how.classes} classes. Expected: at most 256.")
        if how.axes == 3 and self.format == "png":
            raise ValueError(
                "Received: format=png for a model of volumes. Expected: --format tiff, npy or hdf5."
            )
        if how.image_size is not None and self.scale == "trained" and self.tile is not None:
            by = "x".join(map(str, how.image_size))
            raise ValueError(
                f"Received: tile={'x'.join(map(str, self.tile))} for a model trained on pictures brought to {by}. "
                "Expected: no tile; or --scale native, which cuts pictures as they are."
            )

    def facts(self) -> dict[str, Any]:
        """Return what decides about the results, as JSON values."""
        values = dataclasses.asdict(self)
        kept = {name: value for name, value in values.items() if name not in _CHANGE_NOTHING}
        tile = None if self.tile is None else list(self.tile)
        return kept | {"input": str(self.input.absolute()), "tile": tile}
