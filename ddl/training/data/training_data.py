"""Opens the samples of a `Plan`, splits them and checks them against the model. No TensorFlow here."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

import numpy as np

from ddl.data.batches.sample_cache import cached
from ddl.data.central_crop import CentrallyCropped
from ddl.data.input_samples import InputSamples
from ddl.data.inputs_and_targets import (
    LabelSamples,
    MaskSamples,
    count_classes,
    count_mask_classes,
)
from ddl.data.source import Source
from ddl.data.summary import summary_lines
from ddl.distributed.job.launcher import placement
from ddl.training.data.class_weights import check_class_weight
from ddl.training.data.compatibility import check_agreement, check_shapes
from ddl.training.data.parts import check_target, open_test, split_sources
from ddl.training.data.plan_order import plan_order
from ddl.training.objectives.losses import least_value, needs_input
from ddl.training.plan.plan import Plan


@dataclass(frozen=True)
class TrainingData:
    """Training, validation and test samples: first the input, then the target, which some losses do not need."""

    training: Source
    validation: Source
    classes: int  # that the model predicts; 1 for foreground and background
    test: Source | None = None  # for a plan with `evaluate`

    def __post_init__(self) -> None:
        test = () if self.test is None else (self.test,)
        for samples in (self.training, self.validation, *test):
            if not isinstance(samples, Source):
                raise ValueError(
                    f"Received: samples of class {type(samples).__name__}. Expected: a subclass of "
                    "ddl.data.source.Source."
                )

    def check_test(self, plan: Plan) -> None:
        """Refuse a plan with `evaluate` without test samples."""
        if plan.evaluate and self.test is None:
            raise ValueError(
                "Received: evaluate=true without test samples. Expected: TrainingData(training, validation, classes, "
                "test)."
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
        elif self.validation.describe() != self.training.describe():  # files of its own
            lines += summary_lines(f"{plan.data}, validation", self.validation)
        if plan.test_data is not None and self.test is not None:
            lines += summary_lines(plan.test_data, self.test)
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
    training, validation = (_with_cache(source, plan) for source in split_sources(plan))
    for source in (training, validation):
        check_target(source, plan)
    test = open_test(plan, training)
    _check_counts(training, validation, plan)
    plan_order(plan, len(training), placement().size)  # refuses batches and epochs that do not fit
    classes = classes_of(training, plan)
    if plan.predicts == "label" and classes < 2:
        received = f"classes={classes}" if plan.classes else f"one class in {plan.data}"
        raise ValueError(
            f"Received: {received} for model {plan.model}, which predicts labels. Expected: 2 classes or more."
        )
    check_class_weight(plan.class_weight, classes)
    data = TrainingData(
        as_samples(training, plan, classes, trains=True),
        as_samples(validation, plan, classes),
        classes,
        None if test is None else as_samples(test, plan, classes),
    )
    check_shapes(data.training, data.validation, plan)
    if data.test is not None:
        check_shapes(data.training, data.test, plan, "test")
    check_agreement(plan, plan.metric, data.input_shape, classes)
    _ = (
        data.fingerprint
    )  # reads a few samples: shows damage, and labels outside the classes, at once
    return data


def classes_of(source: Source, plan: Plan) -> int:
    """Return the number of classes that the plan's model predicts: the plan's, or that of the source."""
    if plan.classes:
        return plan.classes
    if needs_input(plan.loss):
        return 1
    if plan.predicts == "label":
        return count_classes(source, plan.ignore_index)
    if plan.data_option.get("mask_mode") == "classes":
        raise ValueError(
            "Received: data_option mask_mode=classes without a number of classes. Expected: both; or convert the "
            "pictures with scripts/prepare_data.py, whose file knows it."
        )
    return count_mask_classes(source, plan.ignore_index)


def as_samples(source: Source, plan: Plan, classes: int, *, trains: bool = False) -> Source:
    """Return a source's samples as inputs and targets of the plan's model.

    Those of training are whole; evaluation takes the middle of pictures where the plan says so.
    """
    if needs_input(plan.loss):
        return InputSamples(source, least=least_value(plan.loss))
    if plan.predicts == "mask":
        return MaskSamples(
            source,
            classes=classes,
            ignore_index=plan.ignore_index,
            any_foreground=plan.classes == 1,
        )
    samples = LabelSamples(source, classes=classes, ignore_index=plan.ignore_index)
    fraction = 1.0 if trains else plan.evaluation_crop
    return samples if fraction == 1 else CentrallyCropped(samples, fraction)


def _with_cache(source: Source, plan: Plan) -> Source:
    place = placement()
    block = None if plan.order == "global" else -(-len(source) // place.size)
    return cached(source, plan.cache, local_ranks=place.local_size, count=block)


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
