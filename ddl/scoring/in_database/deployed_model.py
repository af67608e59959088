"""A deployed model in a backend: pictures as bytes in, masks as PNG or probabilities out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np

from ddl.data.pictures.picture_file import read_picture
from ddl.data.preprocessing import Preprocessing
from ddl.inference.backends.predictor import Predictor, check_shape
from ddl.inference.prediction.decision import decide
from ddl.inference.prediction.row_writers import PngWriter, class_palette
from ddl.inference.tiles.segmenter import Cut, Segmenter
from ddl.scoring.in_database.limits import Limits
from ddl.scoring.in_database.memory_file import memory_file


class Model:
    """A predictor with what turns a picture into its input."""

    def __init__(self, predictor: Predictor, preprocessing: Preprocessing) -> None:
        """Take a predictor."""
        self._predictor, self._how = predictor, preprocessing
        self._segmenter = Segmenter(predictor, preprocessing, Cut(batch_size=1))

    @property
    def target(self) -> str:
        """What it finds: "mask" or "label"."""
        return self._how.target

    def segment(self, picture: bytes, threshold: float, limits: Limits) -> bytes:
        """Return the mask as PNG at the picture's own size: 255 is foreground, of several classes a palette.

        Raises:
            ValueError: it is no picture that this model takes.
        """
        self._check_target("mask", "ddl.classify")
        if not (math.isfinite(threshold) and 0 <= threshold < 1):
            raise ValueError(f"Received: threshold={threshold}. Expected: at least 0, below 1.")
        pixels = decode(picture, limits)
        passage = self._segmenter.begin(pixels, is_file=True)
        if passage.is_single:
            bands = passage.finish(self._predictor.predict(passage.tile[None])[0])
        else:
            bands = passage.bands(self._predictor, 1)
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
            ValueError: it is no picture that this model takes.
        """
        self._check_target("label", "ddl.segment")
        shown = self._how.model_input(decode(picture, limits))
        check_shape(shown, self._predictor.input_shape)
        chances = self._predictor.predict(shown[None])[0]
        if len(chances) == 1:
            return [("0", 1 - float(chances[0])), ("1", float(chances[0]))]
        return [(self._how.name_of(label), float(one)) for label, one in enumerate(chances)]

    def classify(self, picture: bytes, limits: Limits) -> tuple[str, float]:
        """Return the most probable class and its probability."""
        return most_probable(self.probabilities(picture, limits))

    def _check_target(self, wanted: str, instead: str) -> None:
        if self._how.target != wanted:
            raise ValueError(
                f"Received: a model that finds a {self._how.target}. Expected: one that finds a {wanted}; or {instead}."
            )


def most_probable(found: Sequence[tuple[str, float]]) -> tuple[str, float]:
    """Return the class of the largest probability; of equal ones the first."""
    return max(found, key=lambda one: one[1])


def decode(picture: bytes, limits: Limits) -> np.ndarray:
    """Return a GIF, JPEG, PNG or TIFF as pixels (H, W, C).

    Raises:
        ValueError: it is none, is damaged, or is beyond the limits.
    """
    if not picture:
        raise ValueError("Received: a picture of 0 bytes. Expected: GIF, JPEG, PNG, TIFF.")
    if len(picture) > limits.bytes:
        raise ValueError(
            f"Received: a picture of {len(picture)} bytes. Expected: at most {limits.bytes}."
        )
    with memory_file(picture) as path, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Pillow's, which would go to the server's log
        try:
            return read_picture(path, limits.pixels)
        except ValueError as error:
            told = str(error).replace(str(path), "a picture")
            raise ValueError(told.replace("; replace it, or take it away", "")) from error
