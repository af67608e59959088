"""Opens the samples of a `Plan`, splits them and checks them against the model. No TensorFlow here."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from dataclasses import dataclass

import numpy as np

from ddl.data.batches.sample_cache import cached
from ddl.data.box_samples import BoxSamples, count_box_classes
from ddl.data.central_crop import CentrallyCropped
from ddl.data.equations.input_samples import InputSamples
from ddl.data.inputs_and_targets import (
    LabelSamples,
    MaskSamples,
    count_classes,
    count_mask_classes,
    scaled,
)
from ddl.data.source import Source
from ddl.data.sources.two_paths import InputsOnly, Itself
from ddl.data.summary import summary_lines
from ddl.data.value_samples import ValueSamples
from ddl.distributed.job.launcher import placement
from ddl.models.from_file import model_lines, own_classes
from ddl.training.data.class_weights import check_class_weight
from ddl.training.data.compatibility import check_agreement, check_own_classes, check_shapes
from ddl.training.data.parts import check_target, open_test, split_sources
from ddl.training.data.plan_order import plan_order
from ddl.training.data.transforming import transformed, with_mask_numbers
from ddl.training.objectives.losses import least_value, needs_input
from ddl.training.plan.plan import Plan
from ddl.training.plan.transforms import input_transforms


@dataclass(frozen=True)
class TrainingData:
    """Training, validation and test samples: first the input, then the target, which some losses do not need."""

    training: Source
    validation: Source | None  # None for a plan with `validation_part=0`
    classes: (
        int  # that the model predicts; 1 for foreground and background; of values their last axis
    )
    test: Source | None = None  # for a plan with `evaluate`

    def __post_init__(self) -> None:
        for samples in (self.training, *self.held_out):
            if not isinstance(samples, Source):
                raise ValueError(
                    f"Received: samples of class {type(samples).__name__}. Expected: a subclass of "
                    "ddl.data.source.Source."
                )

    @property
    def held_out(self) -> tuple[Source, ...]:
        """The validation and the test samples that there are."""
        return tuple(samples for samples in (self.validation, self.test) if samples is not None)

    def check_parts(self, plan: Plan) -> None:
        """Refuse a plan with `evaluate` without test samples, and one that expects a validation where there is none."""
        if plan.has_validation != (self.validation is not None):
            received, expected = (
                ("no validation samples", "validation_part=0 in the plan, or samples")
                if self.validation is None
                else ("validation samples for a plan with validation_part=0", "validation=None")
            )
            raise ValueError(f"Received: {received}. Expected: {expected}.")
        if plan.evaluate and self.test is None:
            raise ValueError(
                "Received: evaluate=true without test samples. Expected: TrainingData(training, validation, classes, "
                "test)."
            )

    @property
    def counts(self) -> tuple[int, int]:
        """Numbers of training and validation samples."""
        return len(self.training), 0 if self.validation is None else len(self.validation)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of a training sample before augmentation, which may crop it."""
        return next(iter(self.training.fields.values())).shape

    def describe(self, plan: Plan) -> list[str]:
        """Return lines on what was read. Reads a few samples."""
        lines = summary_lines(plan.data, self.training)
        if self.validation is None or (not plan.epochs and plan.validation_data == plan.data):
            pass  # an inference opens its samples as both
        elif plan.validation_data is not None:
            lines += summary_lines(plan.validation_data, self.validation)
        elif self.validation.describe() != self.training.describe():  # files of its own
            lines += summary_lines(f"{plan.data}, validation", self.validation)
        if plan.test_data is not None and self.test is not None:
            lines += summary_lines(plan.test_data, self.test)
        return [*lines, *model_lines(plan.model, plan.model_option)]

    @functools.cached_property
    def fingerprint(self) -> str:
        """A checksum of counts, shapes and three samples of each source, which is unlikely to match other data."""
        digest = hashlib.sha256()
        validation = () if self.validation is None else (self.validation,)
        for source in (self.training, *validation):
            digest.update(f"{len(source)} {dict(source.fields)}".encode())
            for part in source.read(np.unique([0, len(source) // 2, len(source) - 1])).values():
                digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()[:16]


def open_data(plan: Plan) -> TrainingData:
    """Open the plan's data, and check that they fit the model."""
    stored, held_out = split_sources(plan)
    training = _with_cache(stored, plan)
    validation = None if held_out is None else _with_cache(held_out, plan)
    for source in (training, validation):
        if source is not None:
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
        None if validation is None else as_samples(validation, plan, classes),
        classes,
        None if test is None else as_samples(test, plan, classes),
    )
    check_shapes(
        data.training, data.validation if data.validation is not None else data.training, plan
    )
    if data.test is not None:
        check_shapes(data.training, data.test, plan, "test")
    check_agreement(plan, plan.metric, data.input_shape, classes)
    _ = (
        data.fingerprint
    )  # reads a few samples: shows damage, and labels outside the classes, at once
    return data


def classes_of(source: Source, plan: Plan) -> int:
    """Return the number of classes that the plan's model predicts: the model's, the plan's, or the source's."""
    own = own_classes(plan.model, plan.model_option)
    if own is not None:
        check_own_classes(source, plan, own)
        return own
    if plan.classes:
        return plan.classes
    if needs_input(plan.loss):
        return 1
    if plan.predicts == "values":
        (*_, target) = source.fields.values()
        return target.shape[-1] if target.shape else 1
    if plan.predicts == "label":
        return count_classes(source, plan.ignore_index)
    if plan.predicts == "boxes":
        return count_box_classes(source)
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
        samples: Source = InputSamples(_inputs(source, plan), least=least_value(plan.loss))
    else:
        samples = transformed(_targeted(source, plan, classes), plan)
    fraction = 1.0 if trains else plan.evaluation_crop
    return samples if fraction == 1 else CentrallyCropped(samples, fraction)


def as_inputs(source: Source, plan: Plan) -> Source:
    """Return a source without targets as inputs of the plan's model, for inference."""
    samples = _inputs(source, plan)
    fraction = plan.evaluation_crop
    return samples if fraction == 1 else CentrallyCropped(samples, fraction)


def _inputs(source: Source, plan: Plan) -> Source:
    """Return the inputs of a source alone, with the plan's transforms."""
    samples = scaled(source)
    if plan.transform or plan.input_transform:
        # Transforms are for pairs. Those that draw make targets, too, which are not asked for here.
        own = dataclasses.replace(
            plan, transform=(), target_transform=(), input_transform=input_transforms(plan)
        )
        samples = InputsOnly(transformed(Itself(samples), own))
    return samples


def _targeted(source: Source, plan: Plan, classes: int) -> Source:
    """Return a source with the targets of the plan's model, checked."""
    if plan.predicts == "values":
        normalizes = any("normalize" in text for text in (*plan.transform, *plan.target_transform))
        is_entropy = plan.loss == "binary_crossentropy" and not normalizes
        return ValueSamples(source, from_0_to_1=is_entropy)
    if plan.predicts == "label":
        return LabelSamples(source, classes=classes, ignore_index=plan.ignore_index)
    if plan.predicts == "boxes":
        return BoxSamples(source, classes=classes)
    # A network with two outputs learns foreground masks as the class numbers 0 and 1.
    own = own_classes(plan.model, plan.model_option)
    is_pair = own == 2 and count_mask_classes(source, plan.ignore_index) == 1
    return MaskSamples(
        with_mask_numbers(source, plan, classes),
        classes=1 if is_pair else classes,
        as_numbers=is_pair,
        ignore_index=plan.ignore_index,
        any_foreground=plan.classes == 1,
    )


def _with_cache(source: Source, plan: Plan) -> Source:
    place = placement()
    block = None if plan.order == "global" else -(-len(source) // place.size)
    return cached(source, plan.cache, local_ranks=place.local_size, count=block)


def _check_counts(training: Source, validation: Source | None, plan: Plan) -> None:
    if validation is not None and not len(validation):
        raise ValueError(
            f"Received: no validation samples in {plan.data}. Expected: at least one; make the file again with "
            "prepare_data.py --validation, or set --validation-data; validation_part=0 trains without."
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
