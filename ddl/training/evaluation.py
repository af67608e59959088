"""Evaluates a trained model on any data. All ranks share the work; the results are those of one process."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.data.pictures.conversion import central_sides
from ddl.data.source import Source, origin_of
from ddl.data.sources import FORMATS, SOURCES, detect_format
from ddl.data.summary import summary_lines
from ddl.data.value_range import to_text
from ddl.files import check_file
from ddl.options import convert_fields
from ddl.ranges import Range, check_choices, check_ranges
from ddl.training.checkpoint.find_trained import Trained, find_trained, stored_preprocessing
from ddl.training.data.compatibility import check_agreement, check_sides
from ddl.training.data.parts import DATA_PARTS, open_part
from ddl.training.data.training_data import as_samples
from ddl.training.objectives.losses import LOSSES, needs_input
from ddl.training.objectives.metrics import METRICS, check_metric_names
from ddl.training.plan.fields import DataPlan
from ddl.training.plan.plan import Plan
from ddl.training.record.run_dir import check_no_run_file


@dataclass(frozen=True)
class Evaluation:
    """What to evaluate.

    Attributes:
        model: a run directory, its model.keras, or a checkpoint.
        checkpoint: in a run directory: "final" (model.keras), "best", "auto" (the newest) or an epoch's number.
        data: data of the same kind to use in place of the training data.
        part: "train", "validation", "test" or "all"; by default validation, and all of other data.
        metric: metrics to compute, separated by spaces; by default those of the training run.
        per_rank_batch_size: samples per rank and step; affects only speed and memory.
        output: a .json file for the results, in addition to the screen.
    """

    model: Path
    checkpoint: str = "final"
    data: str | None = None
    part: str | None = None
    metric: tuple[str, ...] = ()
    per_rank_batch_size: int = 8
    output: Path | None = None

    def __post_init__(self) -> None:
        convert_fields(self)
        check_choices(vars(self), {"part": DATA_PARTS})
        check_ranges(vars(self), {"per_rank_batch_size": Range(1)}, "evaluation")
        check_metric_names(self.metric)
        check_file("output", self.output, (".json",), replaces=True)
        check_no_run_file("output", self.output)

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
    plan = trained.plan
    if evaluation.data is None:
        _check_data_found(trained, flag)
        plan = dataclasses.replace(plan, data_option=_as_trained(trained, plan.data))
    else:
        options = _as_trained(trained, evaluation.data)
        changes: dict[str, Any] = {"data": evaluation.data, "data_option": options, "fold": None}
        changes["test_data"] = None
        part = DataPlan.validation_part
        plan = dataclasses.replace(plan, validation_data=None, validation_part=part, **changes)
    part_name = evaluation.part or ("validation" if evaluation.data is None else "all")
    source = open_part(plan, part_name)
    if not len(source):
        raise ValueError(
            f"Received: part={part_name!r} of {plan.data}, which has no samples. Expected: another part."
        )
    return Subject(trained, plan, source)


def _as_trained(trained: Trained, data: str) -> dict[str, Any]:
    """Return the options that open data as the training run did: with its range, its depth and its class numbers."""
    known = SOURCES.options(detect_format(Path(data)))
    given = trained.plan.data_option
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
    batch_size, how = evaluation.per_rank_batch_size, stored_preprocessing(subject.trained)
    batches = pipeline.evaluation_batches(
        samples,
        per_rank_batch_size=batch_size,
        rank=dist.rank(),
        size=dist.size(),
        threads=threads_per_rank(dist.local_size()),
        normalization=None if how is None else how.normalization,
    )
    from_input = needs_input(subject.plan.loss)
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
    return {"model": str(subject.file), "samples": len(samples), **results}


def _compiled(evaluation: Evaluation, subject: Subject) -> tuple[Any, Source]:
    """Return the model compiled with its loss and metrics, and the samples in the form it accepts."""
    import keras

    from ddl.training.checkpoint.transfer import load_model
    from ddl.training.objectives.losses import build_loss
    from ddl.training.objectives.metrics import build_metric

    plan = subject.plan
    whole = load_model(subject.file)
    model = keras.Model(whole.input, whole.outputs[0], name=whole.name)
    names, classes = evaluation.metrics_for(plan), model.output_shape[-1]
    _check_fit(subject, model.input_shape[1:])
    check_agreement(plan, names, model.input_shape[1:], classes)
    model.compile(
        loss=build_loss(plan.loss, **plan.loss_option) if plan.loss in LOSSES else _no_loss,
        metrics=[build_metric(name, **plan.options_of_metric(name)) for name in names],
        # Keras uses XLA on GPUs, which cannot compile SciPy.
        jit_compile=False if "hausdorff_95" in names else "auto",
    )
    return model, as_samples(subject.source, plan, classes)


def _no_loss(_: Any, probabilities: Any) -> Any:
    """Return zeros: Keras does not evaluate a model without a loss."""
    return probabilities[..., 0] * 0


def _check_fit(subject: Subject, wanted: tuple[int | None, ...]) -> None:
    """Refuse samples whose shape the model does not accept; None in `wanted` accepts any length."""
    plan, shape = subject.plan, subject.source.fields["image"].shape
    if plan.predicts == "label":
        shape = (*central_sides(shape[:-1], plan.evaluation_crop), shape[-1])
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
