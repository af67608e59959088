"""Samples for the calibration and the check of an export, in the model's input format, with ground truth if known.

No TensorFlow here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddl.data.pictures.picture_file import PIXEL_LIMIT
from ddl.data.preprocessing import Preprocessing
from ddl.data.source import Source
from ddl.data.sources import SOURCES, detect_format, open_source
from ddl.inference.boxes.finder import frame
from ddl.inference.prediction.inputs import find_items
from ddl.inference.tiles.segmenter import Cut, Segmenter, whole_picture
from ddl.inference.tiles.tiling import Rows
from ddl.inference.trained_model import TrainedModel
from ddl.training.data.training_data import as_samples
from ddl.training.evaluation import Evaluation, open_subject


@dataclass(frozen=True)
class Sample:
    """One model input with its ground truth.

    Attributes:
        picture: model input, (H, W, C) float32 from 0 to 1, padded to sides that the model accepts.
        truth: mask of the picture without padding, or its class; None if unknown.
        inside: slices that cut the padding off a prediction.
        ignore_index: class number in `truth` that scores leave out.
    """

    picture: np.ndarray
    truth: np.ndarray | None
    inside: tuple[slice, ...]
    ignore_index: int | None = None


class Samples:
    """Samples spread evenly over a data set. They are read one by one, and can be iterated several times."""

    def __init__(
        self, total: int, count: int, read: Callable[[int], Sample], about: Sequence[str] = ()
    ) -> None:
        """Take at most `count` of `total` samples; `read` returns the sample of an index.

        `about` has lines on what the data were taken for.
        """
        self._indices, self._read, self.about = spread(total, count), read, [*about]

    def __len__(self) -> int:
        return len(self._indices)

    def __iter__(self) -> Iterator[Sample]:
        return map(self._read, self._indices)


def open_samples(model: TrainedModel, purpose: str, data: Path | None, count: int) -> Samples:
    """Open pictures or a data set for an export.

    Args:
        model: the model to export.
        purpose: "check" or "calibration".
        data: pictures or data set; None for the run's validation split, and for its training split in calibration.
        count: maximum number of samples.

    Raises:
        ValueError: there are no samples, or the model does not accept them.
    """
    how = model.preprocessing
    if data is None and model.trained is None:
        raise ValueError(
            f"Received: {model.file} without {purpose}_data. Expected: --{purpose}-data with pictures; only a run "
            "directory says where its data are."
        )
    if data is not None and (model.trained is None or not _has_truth(data, model)):
        items = find_items(data, how, PIXEL_LIMIT)

        def read_picture(index: int) -> Sample:
            with items[index].open() as rows:
                return _sample(how, rows, None, is_file=items[index].is_file)

        about = [f"{data}: {len(items)} pictures without masks or labels"]
        return Samples(len(items), count, read_picture, about)
    given = None if data is None else str(data)
    part = "train" if purpose == "calibration" and data is None else None
    evaluation = Evaluation(model.file, data=given, part=part)
    subject = open_subject(evaluation, model.trained, flag=f"--{purpose}-data")
    _check_shape(subject.source, subject.plan.data, how)
    source = as_samples(subject.source, subject.plan, how.classes)

    def read_sample(index: int) -> Sample:
        picture, truth = (part[0] for part in source.read([index]).values())
        sample = _sample(how, picture, truth, is_file=False)
        return dataclasses.replace(sample, ignore_index=subject.plan.ignore_index)

    return Samples(len(source), count, read_sample, subject.describe())


def _sample(how: Preprocessing, rows: Rows, truth: np.ndarray | None, *, is_file: bool) -> Sample:
    """Convert a picture to model input; a large picture for a model of masks is cropped to one tile."""
    input_shape = (*[None] * how.axes, how.channels)
    if how.target == "label":
        return Sample(whole_picture(rows, how, input_shape, is_file=is_file), truth, ())
    segmenter = Segmenter(input_shape, how, Cut())
    if how.target == "boxes":
        framed = frame(segmenter, how, rows, is_file=is_file)
        return Sample(framed.prepared.tile, truth if framed.prepared.is_single else None, ())
    prepared = segmenter.begin(rows, is_file)
    inside = tuple(slice(min(axis.side, axis.tile)) for axis in prepared.axes)
    return Sample(prepared.tile, None if truth is None else truth[inside], inside)


def _check_shape(source: Source, origin: str, how: Preprocessing) -> None:
    shape = source.fields["image"].shape
    if (len(shape) - 1, shape[-1]) != (how.axes, how.channels):
        raise ValueError(
            f"Received: samples of {'x'.join(map(str, shape))} from {origin}. Expected: {how.axes} axes and "
            f"{how.channels} channels, as the model requires."
        )


def spread(total: int, count: int) -> list[int]:
    """Return at most `count` indices below `total`, evenly spread."""
    chosen = min(total, count)
    return [number * total // chosen for number in range(chosen)]


def _has_truth(data: Path, model: TrainedModel) -> bool:
    """Return whether the data have masks or labels; a plain folder or list of pictures has neither."""
    try:
        found = detect_format(data)
        known = SOURCES.options(found)
    except ValueError:
        return False
    if found == "pictures":
        return False
    given = {} if model.trained is None else model.trained.plan.data_option
    source = open_source(
        data, **{"keys": given["keys"]} if "keys" in given and "keys" in known else {}
    )
    try:
        return model.preprocessing.target in source.fields
    finally:
        source.close()
