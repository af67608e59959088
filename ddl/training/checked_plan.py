"""A plan that has been checked, and its opened data: what can be found wrong before TensorFlow is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ddl.distributed.job.launcher import placement
from ddl.training.checkpoint.checkpoint_file import Checkpoint
from ddl.training.checkpoint.find_trained import check_weights_file
from ddl.training.checkpoint.resume import find_start
from ddl.training.checkpoint.resumed_plan import train_ten_more
from ddl.training.data.training_data import TrainingData, open_data
from ddl.training.outputs.checks import check_outputs
from ddl.training.plan.modes.asynchronous import check_alone
from ddl.training.plan.plan import Plan
from ddl.training.record.mlperf_log import check_log_file
from ddl.training.record.run_dir import check_run_dir

Opener = Callable[[Plan], TrainingData]


@dataclass(frozen=True)
class Order:
    """A checked plan and its opened data."""

    plan: Plan
    data: TrainingData
    checkpoint: Checkpoint | None = None  # to resume from; on rank 0 only
    note: str = ""  # what the plan has that nobody asked for


def check_plan(plan: Plan, opener: Opener = open_data, *, may_grow: bool = False) -> Order:
    """Return a plan, checked, and its opened data.

    Args:
        plan: the plan.
        opener: opens its data.
        may_grow: whether a plan with `resume` whose epochs are complete trains ten more.
    """
    check_alone(plan)
    if placement().rank != 0:
        return Order(plan, opener(plan))
    check_run_dir(plan.run_dir, resume=plan.resume is not None)
    check_log_file(plan)
    check_outputs(plan)
    start = find_start(plan)
    if start is None and plan.init_weights is not None:
        check_weights_file(plan.init_weights)
    note = ""
    if may_grow and (longer := train_ten_more(plan, start)) != plan:
        note = f"All {plan.epochs} epochs are complete. The run trains to epoch {longer.epochs}."
        plan = longer
    return Order(plan, opener(plan), start, note)
