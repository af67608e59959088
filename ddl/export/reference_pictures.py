"""Pictures that an export is calibrated and checked with, as the model takes them, with the truth where there is one.

No TensorFlow here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ddl.data.pictures.conversion import unit_range
from ddl.data.pictures.picture_file import PIXEL_LIMIT
from ddl.data.preprocessing import Preprocessing
from ddl.data.source import Source
from ddl.data.sources import detect_format, open_source
from ddl.inference.backends.predictor import check_shape
from ddl.inference.prediction.inputs import Item, find_items
from ddl.inference.tiles.segmenter import Cut, Segmenter
from ddl.inference.tiles.tiling import Rows
from ddl.inference.trained_model import TrainedModel, preprocessing_path
from ddl.training.data.training_data import as_samples
from ddl.training.evaluation import Evaluation, open_subject


@dataclass(frozen=True)
class Sample:
    """One input of a model.

    Attributes:
        shown: (H, W, C) float32 from 0 to 1, with sides that the model can halve.
        truth: the mask of the same picture, not padded, or its class; None where nothing tells it.
        inside: where in a prediction the picture is.
    """

    shown: np.ndarray
    truth: np.ndarray | None
    inside: tuple[slice, ...]


class Samples(Protocol):
    """Samples, one after another, as often as they are asked for."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def __iter__(self) -> Iterator[Sample]:
        """Yield each."""
        ...


class TrueSamples:
    """Some of the samples of a data set, spread evenly over it. Of large pictures a corner of 512x512."""

    def __init__(self, source: Source, how: Preprocessing, count: int) -> None:
        """Take at most `count` samples."""
        self._source, self._shape = source, _Shape(how)
        self._indices = spread(len(source), count)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._indices)

    def __iter__(self) -> Iterator[Sample]:
        """Read each."""
        for index in self._indices:
            picture, truth = (part[0] for part in self._source.read([index]).values())
            yield self._shape.sample(picture, truth, is_file=False)


class BarePictures:
    """Some of the pictures of a folder or list, without truth."""

    def __init__(self, items: list[Item], how: Preprocessing, count: int) -> None:
        """Take at most `count` pictures."""
        self._items = [items[index] for index in spread(len(items), count)]
        self._shape = _Shape(how)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._items)

    def __iter__(self) -> Iterator[Sample]:
        """Read each."""
        for item in self._items:
            with item.open() as rows:
                yield self._shape.sample(rows, None, is_file=item.is_file)


class _Shape:
    """Brings pictures to what a model takes. It is asked nothing, so it stands in for a predictor itself."""

    input_shape: tuple[int | None, ...]

    def __init__(self, how: Preprocessing) -> None:
        self._how, self.classes = how, how.classes
        self.input_shape = (*[None] * how.axes, how.channels)
        self._segmenter = Segmenter(self, how, Cut())

    def predict(self, batch: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def close(self) -> None:
        """Do nothing."""

    def sample(self, rows: Rows, truth: np.ndarray | None, *, is_file: bool) -> Sample:
        if self._how.target == "label":
            pixels = np.asarray(rows[: rows.shape[0]])
            shown = self._how.model_input(pixels) if is_file else unit_range(pixels)
            check_shape(shown, self.input_shape)
            return Sample(shown, truth, ())
        passage = self._segmenter.begin(rows, is_file)
        inside = tuple(slice(min(axis.side, axis.tile)) for axis in passage.axes)
        return Sample(passage.tile, None if truth is None else truth[inside], inside)


@dataclass(frozen=True)
class DataChoice:
    """Where samples come from.

    Attributes:
        model: a run directory, a checkpoint, or a Keras file with its preprocessing beside it.
        checkpoint: of a run directory.
        data: other pictures or data than the run's own.
        count: at most so many.
        purpose: "check", for which the run has its validation part, or "calibration", for which it has the other.
    """

    model: Path
    checkpoint: str
    data: Path | None
    count: int
    purpose: str


def open_samples(choice: DataChoice, model: TrainedModel) -> Samples:
    """Return the samples.

    Raises:
        ValueError: there are none, or they are none of this model.
    """
    data, how, count = choice.data, model.preprocessing, choice.count
    has_plan = choice.model.is_dir() or not preprocessing_path(choice.model).is_file()
    if data is None and not has_plan:
        raise ValueError(
            f"Received: {choice.model} without {choice.purpose}_data. Expected: --{choice.purpose}-data with pictures, "
            "for only a run tells where its own are."
        )
    if data is not None and not (has_plan and _has_truth(data, how.target)):
        return BarePictures(find_items(data, how, PIXEL_LIMIT), how, count)
    given = None if data is None else str(data)
    part = "train" if choice.purpose == "calibration" and data is None else None
    evaluation = Evaluation(choice.model, choice.checkpoint, data=given, part=part)
    subject = open_subject(evaluation, model.trained)
    _check_shape(subject.source, subject.plan.data, how)
    return TrueSamples(as_samples(subject.source, subject.plan, how.classes), how, count)


def _check_shape(source: Source, origin: str, how: Preprocessing) -> None:
    shape = source.fields["image"].shape
    if (len(shape) - 1, shape[-1]) != (how.axes, how.channels):
        raise ValueError(
            f"Received: samples of {'x'.join(map(str, shape))} from {origin}. Expected: {how.axes} axes and "
            f"{how.channels} channels, which the model takes."
        )


def spread(total: int, count: int) -> list[int]:
    """Return at most `count` of the numbers below `total`, evenly spread."""
    wanted = min(total, count)
    return [number * total // wanted for number in range(wanted)]


def _has_truth(data: Path, target: str) -> bool:
    """Return whether data have masks or labels; a folder or list of pictures alone has not."""
    try:
        detect_format(data)
    except ValueError:
        return False
    source = open_source(data)
    try:
        return target in source.fields
    finally:
        source.close()
