"""A deployed model in a PostgreSQL backend: takes pictures as bytes, returns masks as PNG or probabilities."""

from __future__ import annotations

import math
import warnings

import numpy as np

from ddl.data.pictures.picture_file import read_picture
from ddl.data.preprocessing import Preprocessing
from ddl.files.memory_file import memory_file
from ddl.inference.backends.normalized import normalizing
from ddl.inference.backends.predictor import Predictor
from ddl.inference.prediction.decision import decide
from ddl.inference.prediction.row_writers import PngWriter, class_palette
from ddl.inference.tiles.segmenter import Cut, Segmenter, whole_picture
from ddl.scoring.in_database.limits import Limits


class Model:
    """A model that is ready to predict pictures, with its preprocessing."""

    def __init__(self, predictor: Predictor, preprocessing: Preprocessing) -> None:
        self._predictor, self._how = normalizing(predictor, preprocessing), preprocessing
        self._segmenter = Segmenter(predictor.input_shape, preprocessing, Cut())

    @property
    def target(self) -> str:
        """What the model predicts: "mask" or "label"."""
        return self._how.target

    def segment(self, picture: bytes, threshold: float, limits: Limits) -> bytes:
        """Return the mask as PNG at the picture's own size: 255 for foreground, or a palette for several classes.

        Raises:
            ValueError: the picture is damaged, or the model does not accept it.
        """
        self._check_target("mask", "ddl.classify")
        if not (math.isfinite(threshold) and 0 <= threshold < 1):
            raise ValueError(f"Received: threshold={threshold}. Expected: at least 0, below 1.")
        pixels = decode(picture, limits)
        bands = self._segmenter.begin(pixels, is_file=True).bands(self._predictor, 1)
        palette = class_palette(self._how.classes) if self._how.classes > 1 else ()
        with memory_file() as path:
            with PngWriter(path, pixels.shape[:2], palette) as writer:
                for _, band in bands:
                    mask = decide(band, threshold)
                    writer.write(mask if palette else mask * np.uint8(255))
            return path.read_bytes()

    def probabilities(self, picture: bytes, limits: Limits) -> list[tuple[str, float]]:
        """Return every class with its probability.

        Raises:
            ValueError: the picture is damaged, or the model does not accept it.
        """
        self._check_target("label", "ddl.segment")
        pixels, shape = decode(picture, limits), self._predictor.input_shape
        values = self._predictor.predict(
            whole_picture(pixels, self._how, shape, is_file=True)[None]
        )[0]
        if len(values) == 1:
            return [("0", 1 - float(values[0])), ("1", float(values[0]))]
        return [(self._how.name_of(label), float(value)) for label, value in enumerate(values)]

    def classify(self, picture: bytes, limits: Limits) -> tuple[str, float]:
        """Return the most probable class and its probability; the first of equally probable ones."""
        return max(self.probabilities(picture, limits), key=lambda pair: pair[1])

    def _check_target(self, wanted: str, instead: str) -> None:
        if self._how.target != wanted:
            raise ValueError(
                f"Received: a model that predicts a {self._how.target}. Expected: a model that predicts a {wanted}, or "
                f"a call of {instead}."
            )


def decode(picture: bytes, limits: Limits) -> np.ndarray:
    """Decode a GIF, JPEG, PNG or TIFF to pixels (H, W, C).

    Raises:
        ValueError: another format, a damaged picture, or one beyond the limits.
    """
    if not picture:
        raise ValueError("Received: a picture of 0 bytes. Expected: GIF, JPEG, PNG, TIFF.")
    if len(picture) > limits.bytes:
        raise ValueError(
            f"Received: a picture of {len(picture)} bytes. Expected: at most {limits.bytes}."
        )
    with memory_file(picture) as path, warnings.catch_warnings():
        # Otherwise Pillow's warnings would end up in the server's log.
        warnings.simplefilter("ignore", UserWarning)
        try:
            return read_picture(path, limits.pixels)
        except ValueError as error:
            message = str(error).replace(str(path), "a picture")
            raise ValueError(message.replace("; replace or remove it", "")) from error
