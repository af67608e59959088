"""Inputs and targets for a model: sources whose first field is the input and whose second is the target.

Only this module scales the pictures of a source to the range from 0 to 1.

    samples = MaskSamples(open_source("cells.h5", split="train"))
    samples.read([0, 1])["image"].max()  # at most 1.0
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ddl.data.pictures.conversion import unit_range
from ddl.data.source import Field, Source, View, origin_of
from ddl.data.sources.arrays import Arrays
from ddl.ranges import Range, check_ranges


class ArraySamples(Arrays):
    """Two arrays of equal length in memory."""

    def __init__(self, inputs: np.ndarray, targets: np.ndarray) -> None:
        super().__init__({"inputs": inputs, "targets": targets}, "arrays")


class Scaled(View):
    """A source whose first field, the model's input, is float32 from 0 to 1."""

    def __init__(self, source: Source) -> None:
        """Use the samples of `source`, which is closed with this one.

        Raises:
            ValueError: its first field has neither floats nor unsigned integers.
        """
        super().__init__(source)
        self._input, field = next(iter(source.fields.items()))
        scaled = unit_range(np.empty(0, field.dtype))
        self.fields = {**source.fields, self._input: Field(field.shape, scaled.dtype)}

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        batch = self.source.read(indices)
        return {**batch, self._input: unit_range(batch[self._input])}


def scaled(source: Source) -> Source:
    """Return the source with inputs from 0 to 1, float32: the source itself if they are float32 already."""
    dtype = next(iter(source.fields.values())).dtype
    return source if dtype == np.float32 else Scaled(source)


class MaskSamples(Scaled):
    """Pictures or volumes from 0 to 1, float32, and their masks, from a source with "image" and "mask"."""

    def __init__(self, source: Source, classes: int = 1) -> None:
        """Use the samples of `source`, which is closed with this one.

        With one class, masks become float32, 1.0 where they are not 0. With more, masks are class numbers from 0 (the
        background) to classes - 1, int32.
        """
        _check_fields(source, "mask")
        super().__init__(source)
        check_ranges({"classes": classes}, {"classes": Range(1)}, "masks")
        dtype = source.fields["mask"].dtype
        if classes > 1 and dtype.kind not in "biu":
            raise ValueError(
                f"Received: masks of dtype {dtype} for {classes} classes. Expected: integer class numbers."
            )
        self.classes = classes
        mask_dtype = np.dtype(np.float32 if classes == 1 else np.int32)
        mask = Field(source.fields["mask"].shape, mask_dtype)
        self.fields = {"image": self.fields["image"], "mask": mask}

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        batch = super().read(indices)
        mask = batch["mask"]
        if self.classes == 1:
            mask = mask > 0
        else:
            places = tuple(range(1, mask.ndim))
            _refuse_beyond(mask.min(places, initial=0), indices, self.classes, "class")
            _refuse_beyond(mask.max(places, initial=0), indices, self.classes, "class")
        return {"image": batch["image"], "mask": mask.astype(self.fields["mask"].dtype)}


class LabelSamples(Scaled):
    """Pictures or volumes from 0 to 1, float32, and their classes, int64, from a source with "image" and "label"."""

    def __init__(self, source: Source, classes: int) -> None:
        """Use the samples of `source`, which is closed with this one. Labels are 0 to classes - 1.

        Raises:
            ValueError: a label is out of range. Without a list of labels, it is raised on reading.
        """
        _check_labels(source)
        super().__init__(source)
        check_ranges({"classes": classes}, {"classes": Range(2)}, "labels")
        self.classes = classes
        label = Field((), np.dtype(np.int64))
        self.fields = {"image": self.fields["image"], "label": label}
        labels = source.read_column("label")
        if labels is not None:
            _refuse_beyond(labels, np.arange(len(labels)), classes, "label")

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        batch = super().read(indices)
        _refuse_beyond(batch["label"], indices, self.classes, "label")
        return {"image": batch["image"], "label": batch["label"].astype(np.int64)}


def count_classes(source: Source) -> int:
    """Return the number of classes of a source with labels; of the complete source if this is a subset.

    Folders, faces and prepared files know it. For others it is the largest label plus 1; formats that cannot list their
    labels are read once.
    """
    _check_labels(source)
    origin = origin_of(source)
    if origin.class_names:
        return len(origin.class_names)
    labels = origin.read_column("label")
    if labels is None:
        parts = np.array_split(np.arange(len(origin)), math.ceil(len(origin) / 64))
        labels = np.concatenate([origin.read(part)["label"] for part in parts])
    negative = np.flatnonzero(labels < 0)
    if len(negative):
        raise ValueError(
            f"Received: label {labels[negative[0]]} in sample {negative[0]}. Expected: classes counted from 0."
        )
    return int(labels.max()) + 1


def _check_fields(source: Source, target: str) -> None:
    if "image" not in source.fields or target not in source.fields:
        raise ValueError(
            f"Received: data with {', '.join(source.fields)}. Expected: image and {target}."
        )


def _check_labels(source: Source) -> None:
    _check_fields(source, "label")
    field = source.fields["label"]
    if field.shape or field.dtype.kind not in "biu":
        raise ValueError(
            f"Received: labels of shape {field.shape} and dtype {field.dtype}. Expected: one integer per sample."
        )


def _refuse_beyond(
    numbers: np.ndarray, indices: Sequence[int] | np.ndarray, classes: int, what: str
) -> None:
    """Refuse the first of these samples whose class number is out of range."""
    wrong = np.flatnonzero((numbers < 0) | (numbers >= classes))
    if len(wrong):
        raise ValueError(
            f"Received: {what} {numbers[wrong[0]]} in sample {indices[wrong[0]]}. Expected: 0 to {classes - 1}; "
            "correct the sample, or increase the number of classes."
        )
