"""Validation, at the end of an epoch or alone. It may be stopped, and saved, after each of its steps."""

from __future__ import annotations

from typing import Any

from ddl.training.callbacks import UserCallbacks
from ddl.training.checkpoint.saver import Saver
from ddl.training.consensus import Consensus
from ddl.training.objectives.losses import NONE
from ddl.training.record.recorder import Recorder
from ddl.training.run import Run
from ddl.training.steps.step import Steps


def validate_epoch(
    steps: Steps,
    consensus: Consensus,
    saver: Saver,
    recorder: Recorder,
    callbacks: UserCallbacks,
) -> tuple[dict[str, Any], str | None]:
    """Evaluate all validation samples, and use their predictions as the plan asks. All ranks must call it.

    Returns:
        Losses and metrics as "val_loss", ...; and the reason to stop before the end, after a checkpoint, or None.
    """
    callbacks.begin_validation()
    recorder.begin_validation()
    for number, batch_logs in enumerate(steps.validate(), 1):
        recorder.validation(number, steps.validation_steps)
        callbacks.validation_step(number, batch_logs)
        if stop := _decided(steps, consensus, saver, recorder):
            return {}, stop
    logs = steps.results()
    if recorder.outputs.wants_predictions:
        with recorder.outputs.predictions() as writers:
            for turn, parts in enumerate(steps.outputs(), 1):
                recorder.predicting(turn)
                writers.write(parts)
                if stop := _decided(steps, consensus, saver, recorder):
                    return {}, stop
            writers.finish()
        logs |= recorder.outputs.scores()
    callbacks.end_validation(logs)
    return {f"val_{name}": value for name, value in logs.items()}, None


def validate_alone(
    steps: Steps,
    run: Run,
    consensus: Consensus,
    saver: Saver,
    recorder: Recorder,
    callbacks: UserCallbacks,
) -> str | None:
    """Evaluate a model that is not trained, as epoch 1, for a plan without epochs. All ranks must call it.

    Returns:
        The reason to stop before the end, or None.
    """
    with steps:
        callbacks.begin(steps.model, steps.validation_steps)
        run.begin_epoch()
        recorder.begin_epoch()
        logs, stop = validate_epoch(steps, consensus, saver, recorder, callbacks)
        if stop:
            return stop
        if run.plan.loss == NONE:  # its value says nothing
            del logs["val_loss"]
        run.end_epoch(logs, steps.learning_rate, 0.0)
        recorder.end_epoch(steps.model)
    return None


def _decided(steps: Steps, consensus: Consensus, saver: Saver, recorder: Recorder) -> str | None:
    """Count a step, and save where it is due; return the reason to stop now, or None. All ranks must call it."""
    if not (consensus.is_due(1) and (decision := consensus.reach())):
        return None
    if decision.stop or decision.save:
        recorder.keep_folder()
        saver.save_within_epoch(steps)
        consensus.saved()
    return decision.stop
