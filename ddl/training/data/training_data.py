"""Opens the samples of a `Plan`, splits them and checks them against the model. No TensorFlow here."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.batches.sample_cache import cached
from ddl.data.inputs_and_targets import (
    LabelSamples,
    MaskSamples,
    count_classes,
    count_mask_classes,
)
from ddl.data.source import Source, Subset
from ddl.data.sources import PICTURE_FILES, SEEDED, SOURCES, detect_format, open_source
from ddl.data.sources.hdf5 import has_splits
from ddl.data.splits import split_samples
from ddl.data.summary import summary_lines
from ddl.distributed.job.launcher import placement
from ddl.training.data.compatibility import check_agreement, check_shapes
from ddl.training.plan.fields import DataPlan
from ddl.training.plan.plan import Plan

DATA_PARTS = ("train", "validation", "test", "all")


@dataclass(frozen=True)
class TrainingData:
    """Training and validation samples, whose first field is the input and whose second is the target."""

    training: Source
    validation: Source
    classes: int  # that the model predicts; 1 for foreground and background

    def __post_init__(self) -> None:
        for samples in (self.training, self.validation):
            if not isinstance(samples, Source):
                raise ValueError(
                    f"Received: samples of class {type(samples).__name__}. Expected: a subclass of "
                    "ddl.data.source.Source."
                )

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of a training sample before augmentation, which may crop it."""
        return next(iter(self.training.fields.values())).shape

    def describe(self, plan: Plan) -> list[str]:
        """Return lines on what was read. Reads a few samples."""
        lines = summary_lines(plan.data, self.training)
        if plan.validation_data is not None:
            lines += summary_lines(plan.validation_data, self.validation)
        return lines

    @functools.cached_property
    def fingerprint(self) -> str:
        """A checksum of counts, shapes and three samples of each source, which is unlikely to match other data."""
        digest = hashlib.sha256()
        for source in (self.training, self.validation):
            digest.update(f"{len(source)} {dict(source.fields)}".encode())
            for part in source.read(np.unique([0, len(source) // 2, len(source) - 1])).values():
                digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()[:16]


def open_data(plan: Plan) -> TrainingData:
    """Open the plan's data, and check that they fit the model."""
    training, validation = (_with_cache(source, plan) for source in _split_sources(plan))
    for source in (training, validation):
        _check_target(source, plan)
    _check_counts(training, validation, plan)
    classes = classes_of(training, plan)
    if plan.target == "label" and classes < 2:
        received = f"classes={classes}" if plan.classes else f"one class in {plan.data}"
        raise ValueError(
            f"Received: {received} for model {plan.model}, which predicts labels. Expected: 2 classes or more."
        )
    data = TrainingData(
        as_samples(training, plan, classes), as_samples(validation, plan, classes), classes
    )
    check_shapes(data.training, data.validation, plan)
    check_agreement(plan, plan.metric, data.input_shape, classes)
    _ = (
        data.fingerprint
    )  # reads a few samples: shows damage, and labels outside the classes, at once
    return data


def open_part(plan: Plan, part: str) -> Source:
    """Open one of `DATA_PARTS` of the plan's data, as stored.

    Raises:
        ValueError: there is no such part, or the data lack the model's target.
    """
    if part in ("train", "validation"):
        source = _split_sources(plan)[part == "validation"]
    elif part == "test" and detect_format(Path(plan.data)) not in ("hdf5", "idx"):
        raise ValueError(
            f"Received: part='test' of {plan.data}, which has no splits. Expected: a file that "
            "scripts/prepare_data.py made; or other --data with --part all."
        )
    else:
        source = _open(plan, plan.data, **({"split": "test"} if part == "test" else {}))
    _check_target(source, plan)
    return source


def classes_of(source: Source, plan: Plan) -> int:
    """Return the number of classes that the plan's model predicts: the plan's, or that of the source."""
    if plan.classes:
        return plan.classes
    if plan.target == "label":
        return count_classes(source, plan.ignore_index)
    if plan.data_option.get("mask_mode") == "classes":
        raise ValueError(
            "Received: data_option mask_mode=classes without a number of classes. Expected: both; or convert the "
            "pictures with scripts/prepare_data.py, whose file knows it."
        )
    return count_mask_classes(source, plan.ignore_index)


def as_samples(source: Source, plan: Plan, classes: int) -> Source:
    """Return a source's samples as inputs and targets of the plan's model."""
    if plan.target == "mask":
        return MaskSamples(
            source,
            classes=classes,
            ignore_index=plan.ignore_index,
            any_foreground=plan.classes == 1,
        )
    return LabelSamples(source, classes=classes, ignore_index=plan.ignore_index)


def _with_cache(source: Source, plan: Plan) -> Source:
    place = placement()
    block = None if plan.order == "global" else -(-len(source) // place.size)
    return cached(source, plan.cache, local_ranks=place.local_size, count=block)


def _split_sources(plan: Plan) -> tuple[Source, Source]:
    if plan.validation_data is not None:
        training = _open(plan, plan.data)
        return training, _open(
            plan, plan.validation_data, **like(training, plan.validation_data, plan.classes or 1)
        )
    if detect_format(Path(plan.data)) == "hdf5" and (
        plan.fold is not None or has_splits(Path(plan.data), plan.data_option.get("keys"))
    ):
        _check_no_validation_part(plan)
        return _open(plan, plan.data, split="train"), _open(plan, plan.data, split="validation")
    if plan.fold is not None:
        raise ValueError(
            f"Received: fold={plan.fold} of {plan.data}, which has no folds. Expected: a file that "
            "scripts/prepare_data.py --folds K made."
        )
    source = _open(plan, plan.data)
    splits = split_samples(len(source), plan.validation_part, 0, plan.seed)
    return Subset(source, np.flatnonzero(splits == 0)), Subset(source, np.flatnonzero(splits == 1))


def like(training: Source, data: str, classes: int = 1) -> dict[str, Any]:
    """Return the options that open other data as those of a training run: its range, its depth, and class numbers."""
    known = SOURCES.options(detect_format(Path(data)))
    options: dict[str, Any] = {}
    if training.value_range is not None and "range" in known:
        options["range"] = training.value_range
    depth = {"uint8": 8, "uint16": 16}.get(next(iter(training.fields.values())).dtype.name)
    if depth and "bits" in known:
        options["bits"] = depth
    if "mask_mode" in known and (
        training.mask_mode == "classes" or (not training.mask_mode and classes > 1)
    ):
        options["mask_mode"] = "classes"
    return options


def _open(plan: Plan, data: str, **options: Any) -> Source:
    data_format = detect_format(Path(data))
    options = SOURCES.check(data_format, **plan.data_option) | options
    if data_format in PICTURE_FILES and plan.image_size is not None:
        options["image_size"] = plan.image_size
    if data_format in SEEDED:
        options.setdefault("seed", plan.seed)
        if plan.image_size is not None:
            options["size"] = _equal_side(plan.image_size, data)
    if plan.fold is not None and data_format == "hdf5":
        options["fold"] = plan.fold
    return open_source(data, data_format, **options)


def _equal_side(sides: tuple[int, ...], data: str) -> int:
    if len(set(sides)) != 1:
        raise ValueError(
            f"Received: image_size={'x'.join(map(str, sides))} of {data} data. Expected: one number, because all "
            "sides are equal."
        )
    return sides[0]


def _check_no_validation_part(plan: Plan) -> None:
    if plan.validation_part != DataPlan.validation_part:
        raise ValueError(
            f"Received: validation_part={plan.validation_part} of {plan.data}, which has splits of its own. Expected: "
            "no validation_part; to change the splits, use prepare_data.py --validation."
        )


def _check_target(source: Source, plan: Plan) -> None:
    if plan.target not in source.fields:
        script = "train_resnet.py" if plan.target == "mask" else "train_unet.py"
        raise ValueError(
            f"Received: data with {', '.join(source.fields)} from {plan.data}, for model {plan.model}. Expected: image "
            f"and {plan.target}. (For the others there is scripts/{script}.)"
        )


def _check_counts(training: Source, validation: Source, plan: Plan) -> None:
    if not len(validation):
        raise ValueError(
            f"Received: no validation samples in {plan.data}. Expected: at least one; make the file again with "
            "prepare_data.py --validation, or set --validation-data."
        )
    if not len(training):
        raise ValueError(
            f"Received: no training samples in {plan.data}. Expected: at least one; make the file again with "
            "prepare_data.py and smaller fractions for --validation and --test."
        )
    ranks = placement().size
    if len(training) < ranks:
        raise ValueError(
            f"Received: {len(training)} training samples in {plan.data} for {ranks} ranks. Expected: at least one "
            "per rank; start fewer ranks."
        )
