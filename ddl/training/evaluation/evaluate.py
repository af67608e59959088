"""Evaluates a trained model on any data. All ranks share the work; the results are those of one process."""

from __future__ import annotations

from typing import Any

from ddl.data.source import Source
from ddl.data.summary import tell_summary
from ddl.training.checkpoint.find_trained import stored_preprocessing
from ddl.training.data.compatibility import check_agreement, check_sides
from ddl.training.data.training_data import as_inputs, as_samples
from ddl.training.evaluation.request import Evaluation
from ddl.training.evaluation.subject import Subject
from ddl.training.objectives.losses import LOSSES, needs_input


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
