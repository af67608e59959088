"""Refuses places at which a run could not write its outputs, before anything is written. No TensorFlow here."""

from __future__ import annotations

from ddl.data.source import Source
from ddl.files import check_folder
from ddl.training.data.sliced import check_assembled_file
from ddl.training.outputs.epoch_logs import check_epoch_log
from ddl.training.outputs.sample_file import data_set_names
from ddl.training.plan.plan import Plan


def check_outputs(plan: Plan) -> None:
    """Refuse the plan's logs, predictions and copies of models where they cannot be written.

    Raises:
        ValueError: one line that says what is wrong and what to do.
    """
    check_epoch_log(plan)
    check_assembled_file("assembled_output", plan.assembled_output, vars(plan))
    for name in ("prediction_output", "checkpoint_copies"):
        folder = getattr(plan, name)
        if folder is not None:
            check_folder(name, folder)


def check_predicted(plan: Plan, samples: Source | None) -> None:
    """Refuse validation samples whose names cannot stand in one file, for a plan with `prediction_output`."""
    if plan.prediction_output is not None and samples is not None:
        data_set_names(samples)
