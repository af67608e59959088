"""The model, the plan and the data of an evaluation. No TensorFlow here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.data.source import Source, origin_of
from ddl.data.sources import FORMAT_OPTION, FORMATS, SOURCES, format_of
from ddl.data.sources.relabelled import relabelled
from ddl.data.summary import summary_lines
from ddl.data.value_range import to_text
from ddl.training.checkpoint.find_trained import Trained, find_trained, stored_preprocessing
from ddl.training.data.parts import open_part
from ddl.training.evaluation.request import Evaluation
from ddl.training.plan.fields import DataPlan
from ddl.training.plan.plan import Plan
from ddl.training.plan.slicing import SLICE_OPTIONS


@dataclass(frozen=True)
class Subject:
    """A trained model with the plan and the data of its evaluation."""

    trained: Trained
    plan: Plan  # of the training run, with the data of the evaluation
    source: Source

    @property
    def file(self) -> Path:
        """The model's file."""
        return self.trained.file

    def describe(self) -> list[str]:
        """Return lines on the data that were read. Reads a few samples."""
        first, *more = summary_lines(self.plan.data, self.source)
        whole = origin_of(self.source)
        part = "" if len(self.source) == len(whole) else f"; {len(self.source)} of them are used"
        return [first + part, *more]


def open_subject(
    evaluation: Evaluation, trained: Trained | None = None, flag: str = "--data"
) -> Subject:
    """Find the model, its plan and the data. No TensorFlow here.

    Args:
        evaluation: what to evaluate.
        trained: the result of `find_trained`, if the caller has it already.
        flag: the flag for other data, named in the error about a run whose data are not found.

    Raises:
        ValueError: there is no such model, or the data do not fit it.
    """
    trained = trained or find_trained(evaluation.model, evaluation.checkpoint)
    if trained.plan.is_adversarial:
        raise ValueError(
            f"Received: {evaluation.model}, the run of a GAN, whose validations have scored its samples. Expected: "
            "another model; predict.py makes more samples."
        )
    plan = _with_slicers(trained.plan, evaluation)
    if evaluation.data is None:
        _check_data_found(trained, flag)
        plan = dataclasses.replace(plan, data_option=_as_trained(trained, plan.data))
    else:
        options = _as_trained(trained, evaluation.data)
        if plan.slicer:
            options = {name: value for name, value in options.items() if name in SLICE_OPTIONS}
        changes: dict[str, Any] = {"data": evaluation.data, "data_option": options, "fold": None}
        paths = ("validation_data", "validation_target_data", "test_data", "test_target_data")
        changes |= dict.fromkeys(paths)
        changes["target_data"] = _target_of(evaluation, plan)
        if not plan.has_validation or plan.validation_part == 0:
            changes["validation_part"] = 0.0
        else:
            changes["validation_part"] = DataPlan.validation_part
        plan = dataclasses.replace(plan, **changes)
    is_own = evaluation.data is None and plan.has_validation
    part_name = evaluation.part or ("validation" if is_own else "all")
    source = open_part(plan, part_name, needs_target=not evaluation.writes_predictions)
    if evaluation.data is not None:
        source = _as_numbered(trained, source, evaluation.data)
    if not len(source):
        raise ValueError(
            f"Received: part={part_name!r} of {plan.data}, which has no samples. Expected: another part."
        )
    return Subject(trained, plan, source)


def _with_slicers(plan: Plan, evaluation: Evaluation) -> Plan:
    """Return the plan with the slicers of the evaluation in place of its own, and without files of predictions."""
    slicer = plan.slicer if evaluation.slicer is None else evaluation.slicer
    if evaluation.assembled_output is not None and not slicer:
        raise ValueError(
            f"Received: assembled_output={evaluation.assembled_output} without slicer, for a run without slicers. "
            "Expected: both; it puts the predictions of slices together."
        )
    return dataclasses.replace(
        plan,
        slicer=slicer,
        assembled_output=None,
        assembled_precision="single",
        prediction_output=None,
    )


def _target_of(evaluation: Evaluation, plan: Plan) -> str | None:
    """Return the path of the targets of other data: an autoencoder's are the data themselves."""
    needs_none = plan.target_data is None or evaluation.writes_predictions
    if evaluation.target_data is not None or needs_none:
        return evaluation.target_data
    if plan.target_data == plan.data:
        return evaluation.data
    raise ValueError(
        f"Received: data={evaluation.data} without target_data, for a run with target_data={plan.target_data}. "
        "Expected: both."
    )


def _as_numbered(trained: Trained, source: Source, data: str) -> Source:
    """Return labelled samples in the numbers of the classes that the model was trained on."""
    how = stored_preprocessing(trained)
    return source if how is None else relabelled(source, how.class_names, data)


def _as_trained(trained: Trained, data: str) -> dict[str, Any]:
    """Return the options that open data as the training run did: with its range, its depth and its class numbers."""
    given = trained.plan.data_option
    known = {*SOURCES.options(format_of(data, given)), FORMAT_OPTION}
    options = {name: value for name, value in given.items() if name in known}
    is_new = data != trained.plan.data
    if is_new:
        options.pop("split", None)  # that of the training data
    how = stored_preprocessing(trained)
    if how is None:
        return options
    has_numbers = how.classes > 1 or trained.plan.ignore_index is not None
    if how.target == "mask" and has_numbers and "mask_mode" in known:
        options.setdefault("mask_mode", "classes")
    if how.range is not None and "range" in known and (is_new or "range" in given):
        options["range"] = to_text(how.range)
    if how.axes == 2 and "bits" in known:
        options["bits"] = how.bits
    return options


def _check_data_found(trained: Trained, flag: str) -> None:
    """Refuse a run whose data have moved, or were opened by the run's own script."""
    data = trained.plan.data
    if not Path(data).exists() and (data not in FORMATS or FORMATS[data].on_disk):
        raise ValueError(
            f"Received: {trained.file}, whose training data {data!r} are not found: they have moved, or the run's own "
            f"script opens them. Expected: {flag} with data of the same kind."
        )
