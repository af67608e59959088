"""Settings of scripts/predict.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
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
LEAST_SCORE = 0.3
"""Of a box, where the command says nothing else."""
_CHOICES = {
    "format": tuple(SUFFIXES),
    "scale": SCALES,
    "tta": KINDS,
    "mode": MODES,
    "inference_precision": PRECISIONS,
    "on_error": ON_ERROR,
}
_RANGES = {
    "tile": Range(1),
    "overlap": Range(0),
    "batch_size": Range(1),
    "threshold": Range(0, 1, below=True),
    "most_overlap": Range(0, 1),
    "threads": Range(0, 1024),
    "pixel_limit": Range(1),
}
_CHANGE_NOTHING = ("model", "checkpoint", "output", "mode", "threads", "on_error", "pixel_limit")


@dataclass(frozen=True)
class Prediction:
    """Prediction.

    Attributes:
        model: run directory, checkpoint, or model file with NAME.preprocessing.json in the same folder.
        input: folder of pictures, list of pictures (.txt), one picture or volume, or an HDF5, .npy or .npz file.
        output: folder for the results; results of the same prediction that it already holds are kept.
        checkpoint: checkpoint of a run directory: "final" (model.keras), "best", "auto" (the newest) or an epoch
            number.
        keys: names of the pictures (and masks) in an HDF5 or .npz file, such as raw, where they are not the known ones.
        format: file format of masks: "png", "tiff", "npy" or "hdf5"; of values "npy" (in place of "png") or "hdf5".
        tile: side of the tiles, such as 256 or 256x512; if not given, 512 for pictures above one megapixel and 96 for
            volumes above two megavoxels.
        overlap: overlap of neighbouring tiles in pixels; 128 (volumes: 32), at most half a tile, if not given.
        scale: size at which picture files are predicted: "trained" resizes them to the training size and the masks
            back, "native" keeps their own size.
        tta: test-time augmentation: "flips" averages over mirror images; "none" for no augmentation.
        threshold: probability above which a pixel is foreground, for models with one class; or least score of a box
            (0.3 if not given).
        most_overlap: of found boxes of a class whose intersection over union is larger, the best stays.
        probabilities: also write the probabilities, as float32.
        overlay: also draw each picture with the outlines of its mask, or with its boxes.
        batch_size: tiles or pictures per batch.
        backend: inference backend: "auto" (by the suffix of the model file), "keras", "openvino", "onnx", "tflite" or
            "savedmodel".
        mode: "throughput" for many pictures, "latency" for one.
        inference_precision: "f32", or "bf16" (openvino only): faster on processors with bf16, less exact.
        threads: compute threads per rank; 0 uses the rank's share of the cores.
        pixel_limit: maximum number of pixels of a picture; larger ones are refused before they are decoded.
        on_error: "stop" at the first bad picture, or "skip" bad pictures and list them.
    """

    model: Path
    input: Path
    output: Path
    checkpoint: str = "final"
    keys: tuple[str, ...] | None = None
    format: str = "png"
    tile: tuple[int, ...] | None = None
    overlap: int | None = None
    scale: str = "trained"
    tta: str = "none"
    threshold: float = 0.5
    most_overlap: float = 0.5
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
        """Convert the fields to their types and check them."""
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "prediction")
        check_choices(vars(self), _CHOICES)

    @property
    def cut(self) -> Cut:
        """How pictures are scaled and cut into tiles."""
        return Cut(self.tile or (), self.overlap, self.scale)

    def settled(self, how: Preprocessing) -> Prediction:
        """Return it with the defaults of the model's predictions: values are written as .npy, boxes have low scores."""
        if how.target == "boxes" and self.threshold == type(self).threshold:
            return dataclasses.replace(self, threshold=LEAST_SCORE)
        is_default = self.format == type(self).format
        return (
            dataclasses.replace(self, format="npy")
            if how.target == "values" and is_default
            else self
        )

    def check_model(self, how: Preprocessing) -> None:
        """Refuse flags that do not apply to this model.

        Raises:
            ValueError: a flag that this model would ignore, or a combination that it cannot do.
        """
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        given = [name for name in defaults if getattr(self, name) != defaults[name]]
        masks_only = ("format", "tile", "overlap", "threshold", "probabilities", "overlay", "scale")
        if "most_overlap" in given and how.target != "boxes":
            raise ValueError(
                f"Received: most_overlap={self.most_overlap:g} for a model that finds no boxes. Expected: the command "
                "without this flag."
            )
        for name in given:
            if how.target == "label" and name in masks_only:
                raise ValueError(
                    f"Received: {name} for a model that predicts labels. Expected: the command without this flag, "
                    "which applies only to masks."
                )
        if how.target == "label":
            return
        if how.target == "boxes":
            self._check_boxes(how, given)
            return
        _ = how.pixel_transforms  # refuses those that move pixels
        if how.target == "values":
            self._check_values(how, given)
            return
        if "threshold" in given and how.classes > 1:
            raise ValueError(
                f"Received: threshold={self.threshold} for {how.classes} classes. Expected: no threshold; each pixel "
                "gets the most probable class."
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
                f"Received: tile={'x'.join(map(str, self.tile))} for a model trained on pictures resized to {by}. "
                "Expected: no tile; or --scale native, which cuts tiles at the pictures' own size."
            )

    def _check_boxes(self, how: Preprocessing, given: Sequence[str]) -> None:
        """Refuse flags for masks."""
        for name in given:
            if name in ("format", "probabilities", "tta"):
                raise ValueError(
                    f"Received: {name} for a model that finds boxes. Expected: the command without this flag; boxes "
                    "are written as COCO JSON."
                )
        if how.image_size is not None and self.scale == "trained" and self.tile is not None:
            raise ValueError(
                f"Received: tile={'x'.join(map(str, self.tile))} for a model trained on pictures resized to "
                f"{'x'.join(map(str, how.image_size))}. Expected: no tile; or --scale native, which cuts tiles at the "
                "pictures' own size."
            )

    def _check_values(self, how: Preprocessing, given: Sequence[str]) -> None:
        """Refuse flags for masks, and a model whose values are not those of a picture's pixels."""
        if not how.fills_picture:
            raise ValueError(
                "Received: a model whose values have other sides than its inputs. Expected: a model of pictures; "
                "scripts/evaluate.py tests this one."
            )
        for name in ("threshold", "probabilities", "overlay"):
            if name in given:
                raise ValueError(
                    f"Received: {name} for a model that predicts values. Expected: the command without this flag, "
                    "which applies only to masks."
                )
        if self.format not in ("npy", "hdf5"):
            raise ValueError(
                f"Received: format={self.format} for a model that predicts values. Expected: --format npy or hdf5."
            )

    def facts(self) -> dict[str, Any]:
        """Return the settings that affect the results, as JSON values."""
        values = dataclasses.asdict(self)
        kept = {name: value for name, value in values.items() if name not in _CHANGE_NOTHING}
        tile = None if self.tile is None else list(self.tile)
        keys = None if self.keys is None else list(self.keys)
        return kept | {"input": str(self.input.absolute()), "tile": tile, "keys": keys}
