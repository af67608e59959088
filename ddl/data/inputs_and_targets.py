"""Inputs and targets for a model: sources whose first field is the input and whose second is the target.

Only this module scales the pictures of a source to the range from 0 to 1.

    samples = MaskSamples(open_source("cells.h5", split="train"))
    samples.read([0, 1])["image"].max()  # at most 1.0
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ddl.data.description import describe_numbers
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
        self._may_be_nan = field.dtype.kind == "f"
        self.fields = {**source.fields, self._input: Field(field.shape, scaled.dtype)}

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """Return the samples.

        Raises:
            ValueError: a picture holds NaN or infinity; the message names its sample.
        """
        batch = self.source.read(indices)
        inputs = unit_range(batch[self._input])
        if self._may_be_nan:
            refuse_nan(inputs, indices, self.source, "picture")
        return {**batch, self._input: inputs}


def scaled(source: Source) -> Source:
    """Return the source with inputs from 0 to 1, float32: the source itself if they are float32 already."""
    dtype = next(iter(source.fields.values())).dtype
    return source if dtype == np.float32 else Scaled(source)


class MaskSamples(Scaled):
    """Pictures or volumes from 0 to 1, float32, and their masks, from a source with "image" and "mask"."""

    def __init__(
        self,
        source: Source,
        classes: int = 1,
        *,
        ignore_index: int | None = None,
        any_foreground: bool = True,
        as_numbers: bool = False,
    ) -> None:
        """Use the samples of `source`, which is closed with this one.

        With one class, masks become float32, 1.0 where they are not 0. With more, masks are class numbers from 0 (the
        background) to classes - 1, int32. Reading refuses all other numbers, and names the sample.

        Args:
            source: pictures and masks.
            classes: number of classes.
            ignore_index: number that masks may also hold, and keep: losses and metrics leave its pixels out.
            any_foreground: with one class, whether a mask may hold several numbers above 0, all of them foreground.
            as_numbers: with one class, whether masks become the class numbers 0 and 1, for a model with an output for
                each of them.
        """
        _check_fields(source, "mask")
        super().__init__(source)
        check_ranges({"classes": classes}, {"classes": Range(1)}, "masks")
        dtype = source.fields["mask"].dtype
        if classes > 1 and dtype.kind not in "biu":
            raise ValueError(
                f"Received: masks of dtype {dtype} for {classes} classes. Expected: integer class numbers."
            )
        if classes == 1 and ignore_index in (0, 1):
            raise ValueError(
                f"Received: ignore_index={ignore_index} for masks of one class. Expected: another number, because 0 "
                "is the background and 1 the foreground."
            )
        if source.mask_mode == "binary" and (classes > 1 or ignore_index is not None):
            given = f"classes={classes}" if classes > 1 else f"ignore_index={ignore_index}"
            remedy = "give mask_mode=classes"
            if source.manifest:
                remedy = "make the file again with prepare_data.py --mask-mode classes"
            raise ValueError(
                f"Received: {given} for masks that are read as black and white. Expected: class numbers; {remedy}, "
                "which keeps the numbers in the masks."
            )
        self.classes = classes
        self._ignored, self._any_foreground = ignore_index, any_foreground
        self._as_numbers = as_numbers
        mask_dtype = np.dtype(np.float32 if classes == 1 and not as_numbers else np.int32)
        mask = Field(source.fields["mask"].shape, mask_dtype)
        self.fields = {"image": self.fields["image"], "mask": mask}

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        batch = super().read(indices)
        mask = batch["mask"]
        if mask.dtype.kind == "f":
            refuse_nan(mask, indices, self.source, "mask")
        ignored = None if self._ignored is None else mask == self._ignored
        counted = mask if ignored is None else np.where(ignored, 0, mask)
        self._check(counted, indices)
        dtype = self.fields["mask"].dtype
        result = (counted > 0 if self.classes == 1 else counted).astype(dtype)
        if ignored is not None:
            result[ignored] = self._ignored
        return {"image": batch["image"], "mask": result}

    def _check(self, mask: np.ndarray, indices: Sequence[int] | np.ndarray) -> None:
        """Refuse the first sample whose mask holds a number that is no class."""
        places = tuple(range(1, mask.ndim))
        least, most = mask.min(places, initial=0), mask.max(places, initial=0)
        _refuse_beyond(least, indices, self.classes, "class", self.source)
        if self.classes > 1:
            _refuse_beyond(most, indices, self.classes, "class", self.source)
        elif not self._any_foreground:
            several = ((mask != 0) & (mask != most.reshape(-1, *[1] * len(places)))).any(places)
            for row in np.flatnonzero(several)[:1]:
                values = np.unique(mask[row])
                shown = ", ".join(f"{value:g}" for value in values[:6])
                more = ", ..." if len(values) > 6 else ""
                count = int(most[row]) + 1
                remedy = (
                    f"for classes a network of {count} outputs"
                    if self._as_numbers
                    else f"for classes set classes={count}; or set classes=1 to take all but 0 as foreground"
                )
                what = "a network of two outputs" if self._as_numbers else "one class"
                raise ValueError(
                    f"Received: values {shown}{more} in the mask of {_sample(self.source, indices[row])}, for {what}. "
                    f"Expected: 0 and one other value; {remedy}."
                )


class LabelSamples(Scaled):
    """Pictures or volumes from 0 to 1, float32, and their classes, int64, from a source with "image" and "label"."""

    def __init__(self, source: Source, classes: int, *, ignore_index: int | None = None) -> None:
        """Use the samples of `source`, which is closed with this one.

        Labels are 0 to classes - 1, or `ignore_index`, which losses and metrics leave out.

        Raises:
            ValueError: a label is out of range. Without a list of labels, it is raised on reading.
        """
        _check_labels(source)
        super().__init__(source)
        check_ranges({"classes": classes}, {"classes": Range(2)}, "labels")
        self.classes, self._ignored = classes, ignore_index
        label = Field((), np.dtype(np.int64))
        self.fields = {"image": self.fields["image"], "label": label}
        labels = source.read_column("label")
        if labels is not None:
            self._check(labels, np.arange(len(labels)))

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        batch = super().read(indices)
        self._check(batch["label"], indices)
        return {"image": batch["image"], "label": batch["label"].astype(np.int64)}

    def read_column(self, name: str) -> np.ndarray | None:
        return self.source.read_column(name) if name == "label" else None

    def _check(self, labels: np.ndarray, indices: Sequence[int] | np.ndarray) -> None:
        counted = labels if self._ignored is None else np.where(labels == self._ignored, 0, labels)
        _refuse_beyond(counted, indices, self.classes, "label", self.source)


def count_classes(source: Source, ignore_index: int | None = None) -> int:
    """Return the number of classes of a source with labels; of the complete source if this is a subset.

    Folders, faces and prepared files know it. For others it is the largest label plus 1, without `ignore_index`;
    formats that cannot list their labels are read once.
    """
    _check_labels(source)
    origin = origin_of(source)
    if origin.class_names:
        return len(origin.class_names)
    labels = origin.read_column("label")
    if labels is None:
        labels = np.concatenate([batch["label"] for batch in _all_batches(origin)])
    counted = labels if ignore_index is None else np.where(labels == ignore_index, 0, labels)
    _refuse_beyond(counted, np.arange(len(counted)), None, "label", origin)
    return int(counted.max()) + 1


def count_mask_classes(source: Source, ignore_index: int | None = None) -> int:
    """Return the number of classes of masks that `prepare_data` stored as class numbers; 1 for all other masks.

    Two class numbers, 0 and 1, are one class: the foreground.

    Raises:
        ValueError: numbers are missing between 0 and the largest. It may mark pixels to leave out, such as 255.
    """
    origin = origin_of(source)
    values = set(origin.mask_values)
    if not values and origin.manifest.get("options", {}).get("mask_mode") == "classes":
        values = {int(v) for batch in _all_batches(origin) for v in np.unique(batch["mask"])}
    values -= {ignore_index}
    most = max(values, default=0)
    if values and len(values | {0}) != most + 1:
        raise ValueError(
            f"Received: masks with the class numbers {describe_numbers([*values])}. Expected: no gap; set "
            f"classes={most + 1} if the other classes do not occur, or give the loss ignore_index={most} if "
            f"{most} marks pixels to leave out."
        )
    return most + 1 if most > 1 else 1


def _all_batches(source: Source) -> Iterator[dict[str, np.ndarray]]:
    """Yield all samples in order, 64 at a time."""
    for part in np.array_split(np.arange(len(source)), math.ceil(len(source) / 64)):
        yield source.read(part)


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


def refuse_nan(
    values: np.ndarray, indices: Sequence[int] | np.ndarray, source: Source, what: str
) -> None:
    """Refuse the first of these samples that holds NaN or infinity."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):  # a third of the time of looking at every value
            return
    wrong = np.flatnonzero(~np.isfinite(values).all(axis=tuple(range(1, values.ndim))))
    if len(wrong):
        raise ValueError(
            f"Received: NaN or infinity in the {what} of {_sample(source, indices[wrong[0]])}. Expected: finite "
            "numbers; repair or remove the sample."
        )


def _refuse_beyond(
    numbers: np.ndarray,
    indices: Sequence[int] | np.ndarray,
    classes: int | None,
    what: str,
    source: Source,
) -> None:
    """Refuse the first of these samples whose class number is out of range; None for no upper limit."""
    is_wrong = numbers < 0
    if classes is not None and (classes > 1 or what == "label"):
        is_wrong |= numbers >= classes
    wrong = np.flatnonzero(is_wrong)
    if len(wrong):
        number = numbers[wrong[0]]
        allowed = (
            "classes counted from 0" if classes in (None, 1) else f"0 to {int(classes or 0) - 1}"
        )
        more = ", or increase the number of classes" if classes not in (None, 1) else ""
        leave_out = (
            f"; or give the loss ignore_index={number:g} to leave it out" if number % 1 == 0 else ""
        )
        raise ValueError(
            f"Received: {what} {number:g} in {_sample(source, indices[wrong[0]])}. Expected: {allowed}; correct the "
            f"sample{more}{leave_out}."
        )


def _sample(source: Source, index: int) -> str:
    """Return what messages call a sample: its number in the file, or the name of its picture."""
    return f"sample {source.name_of(int(index))}"
