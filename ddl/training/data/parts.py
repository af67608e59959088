"""Opens the parts of a plan's data: for training, for validation, and for test. No TensorFlow here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ddl.data.source import Source, Subset
from ddl.data.sources import (
    SOURCES,
    format_of,
    held_out_split,
    splits_of,
)
from ddl.data.sources.relabelled import relabelled
from ddl.data.splits import split_samples
from ddl.training.data.opening import is_same, open_samples
from ddl.training.data.sliced import open_sliced
from ddl.training.objectives.losses import needs_input
from ddl.training.plan.fields import DataPlan
from ddl.training.plan.plan import Plan

DATA_PARTS = ("train", "validation", "test", "all")


def open_test(plan: Plan, training: Source) -> Source | None:
    """Open the samples that a plan with `evaluate` tests its model on, as stored; None for other plans.

    Args:
        plan: the plan.
        training: the training samples, as stored.

    Raises:
        ValueError: there are none.
    """
    if not plan.evaluate:
        return None
    try:
        source = open_part(plan, "test", training)
    except ValueError as error:
        if plan.test_data is not None:
            raise
        raise ValueError(
            f"{str(error).partition(' Expected: ')[0]} Expected: test_data=PATH with the samples for evaluate."
        ) from error
    if not len(source):
        raise ValueError(
            f"Received: no test samples in {plan.test_data or plan.data}. Expected: at least one; make the file again "
            "with prepare_data.py --test, or set test_data."
        )
    return source


def open_part(
    plan: Plan, part: str, training: Source | None = None, *, needs_target: bool = True
) -> Source:
    """Open one of `DATA_PARTS` of the plan's data, as stored.

    Args:
        plan: the plan; its `test_data` are the part "test".
        part: the part.
        training: the training samples as stored, if the caller has them already.
        needs_target: whether to refuse data without the model's target.

    Raises:
        ValueError: there is no such part, or the data lack the model's target.
    """
    if part in ("train", "validation"):
        sources = split_sources(plan)
        chosen = sources[part == "validation"]
        source = _no_validation() if chosen is None else chosen
    elif part == "test" and plan.test_data is not None:
        training = training or split_sources(plan)[0]
        source = open_held_out(plan, plan.test_data, "test", training)
    elif part == "test":
        _check_test_split(plan)
        source = open_samples(plan, plan.data, plan.target_data, split="test")
        if training is not None:
            source = relabelled(source, training.class_names, f"{plan.data}, test")
    else:
        source = open_samples(plan, plan.data, plan.target_data)
    if needs_target:
        check_target(source, plan)
    return source


def split_sources(plan: Plan) -> tuple[Source, Source | None]:
    """Open the training and the validation samples of a plan, as stored; None in place of the latter for none."""
    data, target = plan.data, plan.target_data
    if not plan.has_validation:
        split = {"split": "train"} if "validation" in _own_splits(plan) else {}
        return open_samples(plan, data, target, **split), None
    if plan.validation_data is not None:
        training = open_samples(plan, data, target)
        return training, open_held_out(plan, plan.validation_data, "validation", training)
    if plan.fold is not None and format_of(plan.data, plan.data_option) != "hdf5":
        raise ValueError(
            f"Received: fold={plan.fold} of {plan.data}, which has no folds. Expected: a file that "
            "scripts/prepare_data.py --folds K made."
        )
    if plan.fold is not None or "validation" in _own_splits(plan):
        _check_no_validation_part(plan)
        training, validation = (
            open_samples(plan, data, target, split=split) for split in ("train", "validation")
        )
        return training, relabelled(validation, training.class_names, f"{data}, validation")
    source = open_samples(plan, data, target)
    splits = split_samples(len(source), plan.validation_part, 0, plan.seed)
    return Subset(source, np.flatnonzero(splits == 0)), Subset(source, np.flatnonzero(splits == 1))


def open_held_out(plan: Plan, data: str, part: str, training: Source) -> Source:
    """Open data given for validation or test, as stored, in the form of the training samples.

    Data with splits of their own give that of the part, or where they have none for validation, that for test: the
    folder of MNIST is training data with its train files, and validation data with its t10k files.

    Args:
        plan: the plan.
        data: the value of `validation_data` or `test_data`.
        part: "validation" or "test".
        training: the training samples, as stored.

    Raises:
        ValueError: the plan trains on that split.
    """
    stated = plan.data_option
    split = None if plan.slicer else held_out_split(data, part, stated)
    given = plan.data_option.get("split")
    if split is not None and split == given and is_same(data, plan.data):
        raise ValueError(
            f"Received: {data} for {part}, whose split={split} is trained on. Expected: split=train, or other data."
        )
    chosen = {} if split is None else {"split": split}
    target = plan.validation_target_data if part == "validation" else plan.test_target_data
    if target is None and plan.target_data is not None:  # an autoencoder
        target = data
    if plan.slicer:
        return open_sliced(plan, data, target, training.value_range)
    how = like(training, data, plan.classes or 1, stated)
    source = open_samples(plan, data, target, **how, **chosen)
    return relabelled(source, training.class_names, data)


def _own_splits(plan: Plan) -> tuple[str, ...]:
    """Return the splits of the plan's data; none where the plan names the one to train on, and holds a part out."""
    if plan.slicer:
        return ()
    return () if "split" in plan.data_option else splits_of(plan.data, plan.data_option)


def like(
    training: Source, data: str, classes: int = 1, stated: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the options that open other data as those of a training run: its range, its depth, and class numbers."""
    known = SOURCES.options(format_of(data, stated))
    options: dict[str, Any] = {}
    if training.value_range is not None and "range" in known:
        options["range"] = training.value_range
    depth = {"uint8": 8, "uint16": 16}.get(next(iter(training.fields.values())).dtype.name)
    if depth and "bits" in known:
        options["bits"] = depth
    has_numbers = training.mask_mode == "classes" or (not training.mask_mode and classes > 1)
    if "mask_mode" in known and has_numbers:
        options["mask_mode"] = "classes"
    return options


def _check_test_split(plan: Plan) -> None:
    """Refuse data without samples to test on, and those whose test split is trained on."""
    splits = () if plan.slicer else splits_of(plan.data, plan.data_option)
    if "test" not in splits:
        has = f"whose splits are {', '.join(splits)}" if splits else "which has no splits"
        raise ValueError(
            f"Received: part='test' of {plan.data}, {has}. Expected: a file that scripts/prepare_data.py made, or data "
            "with files for test; or other --data with --part all."
        )
    if plan.data_option.get("split") == "test":
        raise ValueError(
            f"Received: part='test' of {plan.data}, which is trained on with data_option split=test. Expected: "
            "split=train, or other data."
        )


def _no_validation() -> Source:
    raise ValueError(
        "Received: part='validation' of a run without validation (validation_part=0). Expected: part=train or all, or "
        "other data."
    )


def _check_no_validation_part(plan: Plan) -> None:
    if plan.validation_part != DataPlan.validation_part:
        raise ValueError(
            f"Received: validation_part={plan.validation_part} of {plan.data}, which has splits of its own. Expected: "
            "no validation_part; to change the splits of a prepared file, use prepare_data.py --validation."
        )


def check_target(source: Source, plan: Plan) -> None:
    if needs_input(plan.loss):
        return
    if plan.predicts == "values":
        if len(source.fields) != 2:
            raise ValueError(
                f"Received: data with {', '.join(source.fields)} from {plan.data}, for targets that are values. "
                f"Expected: an input and a target; for an autoencoder set target_data={plan.data}."
            )
        return
    if plan.predicts not in source.fields:
        script = {"mask": "train_resnet.py", "label": "train_unet.py"}.get(plan.predicts)
        more = "" if script is None else f" (For the others there is scripts/{script}.)"
        if "boxes" in source.fields:
            more = " (Boxes are for models that predict boxes.)"
        raise ValueError(
            f"Received: data with {', '.join(source.fields)} from {plan.data}, for model {plan.model}. Expected: image "
            f"and {plan.predicts}.{more}"
        )
