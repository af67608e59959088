"""Evaluates a trained model on any data. All ranks share the work; the results are those of one process."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.data.slicing.assembly import PRECISIONS
from ddl.data.source import Source, origin_of
from ddl.data.sources import FORMAT_OPTION, FORMATS, SOURCES, format_of
from ddl.data.sources.relabelled import relabelled
from ddl.data.summary import summary_lines, tell_summary
from ddl.data.value_range import to_text
from ddl.files import check_file, check_folder
from ddl.options import convert_fields
from ddl.ranges import Range, check_choices, check_ranges
from ddl.training.checkpoint.find_trained import Trained, find_trained, stored_preprocessing
from ddl.training.data.compatibility import check_agreement, check_sides
from ddl.training.data.parts import DATA_PARTS, open_part
from ddl.training.data.sliced import check_assembled_file
from ddl.training.data.training_data import as_inputs, as_samples
from ddl.training.objectives.losses import LOSSES, needs_input
from ddl.training.objectives.metrics import METRICS, check_metric_names
from ddl.training.plan.fields import DataPlan
from ddl.training.plan.plan import Plan
from ddl.training.plan.slicing import SLICE_OPTIONS
from ddl.training.record.run_dir import check_no_run_file


@dataclass(frozen=True)
class Evaluation:
    """What to evaluate.

    Attributes:
        model: a run directory, its model.keras, or a checkpoint.
        checkpoint: in a run directory: "final" (model.keras), "best", "auto" (the newest) or an epoch's number.
        data: data of the same kind to use in place of the training data.
        target_data: their targets, where these are not inside it.
        part: "train", "validation", "test" or "all"; by default validation, of a run without it all, and all of other
            data.
        metric: metrics to compute, separated by spaces; by default those of the training run.
        per_rank_batch_size: samples per rank and step; affects only speed and memory.
        output: a .json file for the results, in addition to the screen.
        prediction_output: folder for the raw predictions, in output_1.h5, with a data set for each sample, channels
            first; the data then need no targets.
        slicer: sets of slices to cut the data into, in place of those of the training run; none for data that are
            samples.
        assembled_output: HDF5 file for the predictions of all slices, put together, channels last; the data then need
            no targets.
        assembled_precision: its type: "single" (float32) or "half" (float16).
    """

    model: Path
    checkpoint: str = "final"
    data: str | None = None
    target_data: str | None = None
    part: str | None = None
    metric: tuple[str, ...] = ()
    per_rank_batch_size: int = 8
    output: Path | None = None
    prediction_output: Path | None = None
    slicer: tuple[str, ...] | None = None
    assembled_output: Path | None = None
    assembled_precision: str = "single"

    def __post_init__(self) -> None:
        convert_fields(self)
        check_choices(vars(self), {"part": DATA_PARTS, "assembled_precision": PRECISIONS})
        check_ranges(vars(self), {"per_rank_batch_size": Range(1)}, "evaluation")
        if self.assembled_precision != "single" and self.assembled_output is None:
            raise ValueError(
                f"Received: assembled_precision={self.assembled_precision} without assembled_output. Expected: both."
            )
        check_metric_names(self.metric)
        check_file("output", self.output, (".json",), replaces=True)
        check_no_run_file("output", self.output)
        if self.prediction_output is not None:
            check_folder("prediction_output", self.prediction_output)
        check_assembled_file("assembled_output", self.assembled_output, vars(self))
        if self.target_data is not None and self.data is None:
            raise ValueError(
                f"Received: target_data={self.target_data} without data. Expected: both."
            )

    @property
    def writes_predictions(self) -> bool:
        """Whether the model's predictions are written. Data then need no targets."""
        return self.prediction_output is not None or self.assembled_output is not None

    def metrics_for(self, plan: Plan) -> tuple[str, ...]:
        """Return the metrics to compute: the requested ones, else those of the training run.

        Raises:
            ValueError: only the script of the training run knows one of them.
        """
        names = self.metric or plan.metric
        for name in names:
            if name not in METRICS:
                raise ValueError(
                    f"Received: a run with metric {name!r}, which only its own script knows. Expected: --metric with "
                    f"some of {', '.join(METRICS)}."
                )
        return names


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


def evaluate(evaluation: Evaluation, subject: Subject) -> dict[str, Any]:
    """Return the losses and metrics over all samples, each seen once. All ranks must call it, after `init`.

    Returns:
        name -> number; for "confusion_matrix", rows of counts.

    Raises:
        ValueError: on all ranks, if the model cannot be loaded or does not accept such samples.
        BadData: on the rank that cannot read a sample.
    """
    import numpy as np

    import ddl.distributed as dist
    from ddl.data import sharding
    from ddl.data.batches import pipeline
    from ddl.distributed.job.launcher import threads_per_rank
    from ddl.distributed.on_ranks import on_all
    from ddl.training.steps.bad_data import BadData
    from ddl.training.steps.weighed_batches import for_outputs

    model, samples = on_all(lambda: _compiled(evaluation, subject))
    found = {"model": str(subject.file), "samples": len(samples)}
    _write_predictions(evaluation, subject, model, samples)
    from_input = needs_input(subject.plan.loss)
    if len(samples.fields) < 2 and not from_input:  # no targets
        return found
    batch_size, how = evaluation.per_rank_batch_size, stored_preprocessing(subject.trained)
    batches = pipeline.evaluation_batches(
        samples,
        per_rank_batch_size=batch_size,
        rank=dist.rank(),
        size=dist.size(),
        threads=threads_per_rank(dist.local_size()),
        normalization=None if how is None else how.normalization,
    )
    try:
        with batches:
            values = model.evaluate(
                for_outputs(model, batches.dataset, needs_input=from_input),
                steps=sharding.evaluation_steps(len(samples), batch_size, dist.size()),
                verbose=0,
                callbacks=[dist.ReduceMetrics()],
                return_dict=True,
            )
    except ValueError as error:
        if error is batches.error:
            raise BadData(str(error)) from error
        raise
    if subject.plan.loss not in LOSSES:
        del values["loss"]  # only the run's own script knows it
    results = {name: np.asarray(value).tolist() for name, value in values.items()}
    return found | results


def _compiled(evaluation: Evaluation, subject: Subject) -> tuple[Any, Source]:
    """Return the model compiled with its loss and metrics, and the samples in the form it accepts."""
    import keras

    from ddl.training.build import build_losses, build_metrics
    from ddl.training.checkpoint.transfer import load_model

    plan = subject.plan
    whole = load_model(subject.file)
    model = keras.Model(whole.input, whole.outputs[0], name=whole.name)
    names, classes = evaluation.metrics_for(plan), model.output_shape[-1]
    if len(subject.source.fields) < 2 and not needs_input(plan.loss):
        samples = as_inputs(subject.source, plan)
    else:
        samples = as_samples(subject.source, plan, classes)
    _check_fit(subject, samples, model.input_shape[1:])
    check_agreement(plan, names, model.input_shape[1:], classes)
    how, loss = stored_preprocessing(subject.trained), _no_loss
    activation = "none" if how is None else how.activation
    if plan.loss in LOSSES:
        [loss], settled = build_losses(model, plan)
        activation = settled.activation
    model.compile(
        loss=loss,
        metrics=build_metrics(plan, names, activation),
        # Keras uses XLA on GPUs, which cannot compile SciPy.
        jit_compile=False if "hausdorff_95" in names else "auto",
    )
    return model, samples


def _write_predictions(
    evaluation: Evaluation, subject: Subject, model: Any, samples: Source
) -> None:
    """Write the predictions that are asked for. All ranks must call it."""
    import ddl.distributed as dist
    from ddl.distributed.job.launcher import threads_per_rank
    from ddl.training.outputs.assembled import assemble_predictions
    from ddl.training.outputs.prediction_files import write_predictions
    from ddl.training.steps.outputs import Outputs

    if not evaluation.writes_predictions:
        return
    how = stored_preprocessing(subject.trained)
    outputs = Outputs(
        model,
        samples,
        normalization=None if how is None else how.normalization,
        threads=threads_per_rank(dist.local_size()),
    )
    if evaluation.prediction_output is not None:
        write_predictions(outputs, samples, evaluation.prediction_output)
    if evaluation.assembled_output is not None:
        precision = evaluation.assembled_precision
        lines = assemble_predictions(outputs, samples, evaluation.assembled_output, precision)
        if dist.is_root():
            tell_summary("evaluate", lines)


def _no_loss(_: Any, probabilities: Any) -> Any:
    """Return zeros: Keras does not evaluate a model without a loss."""
    return probabilities[..., 0] * 0


def _check_fit(subject: Subject, samples: Source, wanted: tuple[int | None, ...]) -> None:
    """Refuse samples whose shape the model does not accept; None in `wanted` accepts any length."""
    plan, shape = subject.plan, samples.fields["image"].shape
    fits = len(shape) == len(wanted) and all(
        allowed in (None, side) for allowed, side in zip(wanted, shape, strict=True)
    )
    if not fits:
        accepted = "x".join("any" if side is None else str(side) for side in wanted)
        raise ValueError(
            f"Received: samples of shape {'x'.join(map(str, shape))} from {plan.data}, for a model of shape {accepted} "
            f"({subject.file}). Expected: the model's shape; scripts/prepare_data.py converts size and channels."
        )
    if plan.predicts == "mask":
        check_sides(shape, plan.data, plan)
