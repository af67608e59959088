"""Inputs and targets as a model takes them: sources whose first field is the input and whose second the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ddl.data.conversion import unit_range
from ddl.data.source import Field, Source, origin_of, read_column
from ddl.data.sources.arrays import Arrays


class ArraySamples(Arrays):
    """Two arrays of equal length in memory."""

    def __init__(self, inputs: np.ndarray, targets: np.ndarray) -> None:
        if len(inputs) != len(targets):
            raise ValueError(
                f"Received: {len(inputs)} inputs and {len(targets)} targets. Expected: as many of both."
            )
        super().__init__({"inputs": inputs, "targets": targets}, "arrays")


class MaskSamples:
    """Pictures or volumes from 0 to 1, float32, and their masks, from a source of "image" and "mask"."""

    def __init__(self, source: Source, classes: int = 1) -> None:
        """Take the samples of `source`, which is closed with this one.

        Args:
            source: of pictures and masks.
            classes: 1: masks become 1.0 where they are not 0, else 0.0, float32. More: masks hold class numbers from
                0 (the background) to classes - 1, and stay so, int32.
        """
        _check_fields(source, "mask")
        _check_classes(classes, least=1)
        dtype = source.fields["mask"].dtype
        if classes > 1 and dtype.kind not in "biu":
            raise ValueError(
                f"Received: masks of dtype {dtype} for {classes} classes. Expected: class numbers, integers."
            )
        self.source, self.classes = source, classes
        kind = np.dtype(np.float32 if classes == 1 else np.int32)
        self.fields: Mapping[str, Field] = {
            "image": _input_field(source),
            "mask": Field(source.fields["mask"].shape, kind),
        }

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.source)

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """Return the pictures and masks of these samples."""
        batch = self.source.read(indices)
        mask = batch["mask"]
        if self.classes == 1:
            mask = mask > 0
        else:
            places = tuple(range(1, mask.ndim))
            _refuse_beyond(mask.min(places, initial=0), indices, self.classes, "class")
            _refuse_beyond(mask.max(places, initial=0), indices, self.classes, "class")
        return {
            "image": unit_range(batch["image"]),
            "mask": mask.astype(self.fields["mask"].dtype),
        }

    def close(self) -> None:
        """Close the source beneath."""
        self.source.close()


class LabelSamples:
    """Pictures or volumes from 0 to 1, float32, and the class of each, int64, from a source of "image" and "label"."""

    def __init__(self, source: Source, classes: int) -> None:
        """Take the samples of `source`, which is closed with this one. Labels run from 0 to classes - 1.

        Raises:
            ValueError: the source has no such labels; of formats that cannot tell them all at once, when they are read.
        """
        _check_labels(source)
        _check_classes(classes, least=2)
        self.source, self.classes = source, classes
        self.fields: Mapping[str, Field] = {
            "image": _input_field(source),
            "label": Field((), np.dtype(np.int64)),
        }
        labels = read_column(source, "label")
        if labels is not None:
            _refuse_beyond(labels, np.arange(len(labels)), classes, "label")

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.source)

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """Return the pictures and labels of these samples."""
        batch = self.source.read(indices)
        _refuse_beyond(batch["label"], indices, self.classes, "label")
        return {"image": unit_range(batch["image"]), "label": batch["label"].astype(np.int64)}

    def close(self) -> None:
        """Close the source beneath."""
        self.source.close()


def count_classes(source: Source) -> int:
    """Return the number of classes of a source of labels, of the whole of it where this is a part.

    Folders, faces and prepared files know it. Others are asked for their largest label, for which a format that
    cannot tell the labels alone is read once.
    """
    _check_labels(source)
    origin = origin_of(source)
    names = getattr(origin, "class_names", ()) or getattr(origin, "manifest", {}).get("class_names")
    if names:
        return len(names)
    labels = read_column(origin, "label")
    if labels is None:
        return _largest_label(origin) + 1
    negative = np.flatnonzero(labels < 0)
    if len(negative):
        raise ValueError(
            f"Received: label {labels[negative[0]]} in sample {negative[0]}. Expected: classes, counted from 0."
        )
    return int(labels.max()) + 1


def _largest_label(source: Source, batch: int = 64) -> int:
    starts = range(0, len(source), batch)
    parts = (np.arange(start, min(start + batch, len(source))) for start in starts)
    return max(int(source.read(part)["label"].max()) for part in parts)


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
            f"Received: labels of shape {field.shape} and dtype {field.dtype}. Expected: one integer a sample."
        )


def _check_classes(classes: int, least: int) -> None:
    if classes < least:
        raise ValueError(f"Received: classes={classes}. Expected: {least} or more.")


def _input_field(source: Source) -> Field:
    return Field(source.fields["image"].shape, np.dtype(np.float32))


def _refuse_beyond(
    found: np.ndarray, indices: Sequence[int] | np.ndarray, classes: int, what: str
) -> None:
    """Refuse the first of these samples whose number is no class."""
    wrong = np.flatnonzero((found < 0) | (found >= classes))
    if len(wrong):
        raise ValueError(
            f"Received: {what} {found[wrong[0]]} in sample {indices[wrong[0]]}. Expected: 0 to {classes - 1}; "
            "mend the sample, or raise the number of classes."
        )
