"""Finds the checkpoint that a plan resumes from, checks that it fits, and restores the run. No TensorFlow here."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from ddl.data.order import SampleOrder, order_from_state
from ddl.data.preprocessing import Preprocessing
from ddl.distributed.job.launcher import placement
from ddl.models.from_file import FROM_FILE, plan_options
from ddl.training.batch_results import stored_norms
from ddl.training.checkpoint.checkpoint_file import Checkpoint
from ddl.training.checkpoint.checkpoint_folder import find_checkpoint
from ddl.training.checkpoint.facts import check_complete
from ddl.training.optimization.schedules import needs_length
from ddl.training.plan.field_limits import AUTO_PRECISION
from ddl.training.plan.fields import ParallelPlan
from ddl.training.plan.plan import Plan
from ddl.training.record.run_dir import check_origin
from ddl.training.run import Run

logger = logging.getLogger("ddl")

# Fields that may differ between a checkpoint and the plan that resumes from it. All others affect what is learned.
FREE = frozenset(
    {
        *("target_data", "validation_target_data", "test_target_data"),
        *("run_dir", "data", "validation_data", "cache", "data_threads", "init_weights"),
        *(
            "epochs",
            "schedule_epochs",
            "per_rank_batch_size",
            "global_batch_size",
            "time_limit_min",
        ),
        *("log_every_s", "test_data", "evaluate"),
        *("monitor", "monitor_mode", "early_stopping_patience", "early_stopping_min_delta"),
        *("layer_table", "target", "validate_every_epochs", "restore_best", "mlperf_log", "jit"),
        *("tensorboard", "steps_per_execution", "profile", "resume", "keep_last", "keep_best"),
        *("keep_every_epochs", "checkpoint_every_epochs", "checkpoint_every_min"),
        *("assembled_output", "assembled_precision"),
        *("epoch_log", "gradient_norm", "prediction_output", "checkpoint_copies"),
        *("copy_every_epochs", "graph"),
        *(field.name for field in dataclasses.fields(ParallelPlan)),  # each mode continues any
    }
)


_KEPT = {"async": ("asynchronous",)}
"""Mode -> facts of a checkpoint that it goes on from."""


def find_start(plan: Plan) -> Checkpoint | None:
    """Return the verified checkpoint that the plan resumes from; None where it starts at the first step.

    Rank 0 calls it once and passes the result on. It writes nothing.

    Raises:
        ValueError: no such checkpoint, or it contradicts the plan.
    """
    if plan.resume is None:
        return None
    start = find_checkpoint(plan.run_dir, plan.resume, plan.monitor, plan.mode)
    if start is not None:
        check_resume(plan, start.facts, start.path)
        check_origin(plan.run_dir, start.path)
        check_complete(start.facts, start.path)
    return start


def check_resume(plan: Plan, facts: Mapping[str, Any], source: object) -> None:
    """Refuse a plan that contradicts the checkpoint.

    Raises:
        ValueError: names every field that differs, both values, and the remedy.
    """
    now = _without_paths(plan.to_dict())
    # A checkpoint of an earlier version lacks later fields, whose defaults keep what it did.
    then = _without_paths(Plan(run_dir=plan.run_dir).to_dict() | facts.get("plan", {}))
    free = FREE - set(_decides_the_rate(plan))
    if plan.mixed_precision == AUTO_PRECISION:  # keeps the checkpoint's
        free = free | {"mixed_precision"}
    different = [
        f"{name}={now[name]!r} (checkpoint: {then[name]!r})"
        for name in now
        if name not in free and now[name] != then[name]
    ]
    if different:
        raise ValueError(
            f"Received: {', '.join(different)}, to resume from {source}. Expected: the checkpoint's values; or a new "
            "--run-dir with --init-weights, which loads only its weights."
        )
    length = then.get("schedule_epochs") or then.get("epochs")
    if needs_length(plan.schedule) and plan.schedule_length != length:
        raise ValueError(
            f"Received: {plan.schedule_length} epochs for the schedule {plan.schedule!r}, which spans {length} in "
            f"{source}. Expected: --schedule-epochs {length}; after that epoch the learning rate stays constant."
        )


def _without_paths(values: dict[str, Any]) -> dict[str, Any]:
    """Return a plan's values with the digest of a network in place of its text and of its file, which may move."""
    options = plan_options(values["model"], values["model_option"])
    if values["model"] == FROM_FILE:
        options = {key: options[key] for key in options if key != "file"}
    return {**values, "model_option": options}


def _decides_the_rate(plan: Plan) -> Iterator[str]:
    """Yield the free fields on which the learning rate of a plateau depends."""
    rule = plan.plateau_rule
    if rule is not None:
        if rule.monitor is None:
            yield from ("monitor", "monitor_mode")
        if (rule.monitor or plan.monitor).startswith("val_"):
            yield "validate_every_epochs"


def check_data(fingerprint: str, facts: Mapping[str, Any], source: object) -> None:
    """Refuse to resume with other data."""
    if fingerprint != facts["data_fingerprint"]:
        raise ValueError(
            f"Received: other data than {source} was trained on. Expected: the same samples in the same order; or a "
            "new --run-dir with --init-weights."
        )


def resumed_run(
    plan: Plan, order: SampleOrder, preprocessing: Preprocessing, facts: Mapping[str, Any]
) -> Run:
    """Return the run that resumes from a checkpoint's facts.

    Raises:
        ValueError: the remaining samples of the epoch cannot be determined.
    """
    try:
        position = order.resume(facts["order"])
    except ValueError as error:
        epoch = facts["position"]["epoch"]
        raise ValueError(
            f"{error} Or resume from the end of an epoch: --resume {epoch}, if that checkpoint exists."
        ) from error
    before = order_from_state(facts["order"])
    order = _with_shares(plan, order, before)
    run = Run(
        plan,
        order,
        facts["reference_batch_size"],
        facts["data_fingerprint"],
        preprocessing,
        position,
        history=[dict(epoch) for epoch in facts["history"]],
        seconds_before=facts["seconds_before"],
        test_before=dict(facts.get("test_before", {})),
        batch_has_changed=before.global_batch_size != order.global_batch_size,
        compiled=_compiled(plan, facts),
        gradient_norms=stored_norms(facts),
        mode_facts={name: facts[name] for name in _KEPT.get(plan.parallel, ()) if name in facts},
    )
    if run.batch_has_changed and placement().rank == 0:
        per_rank, rest = divmod(before.global_batch_size, order.size)
        remedy = f"--per-rank-batch-size {per_rank} on {order.size} rank(s)"
        if rest or order.batch_size:
            remedy = f"--global-batch-size {before.global_batch_size}"
        logger.warning(
            "The checkpoint was trained with %d samples per step, but this run takes %d. From here on the results "
            "differ from those of an uninterrupted run.%s",
            before.global_batch_size,
            order.global_batch_size,
            f" To keep the batch size, use {remedy}.",
        )
    return run


def _with_shares(plan: Plan, order: SampleOrder, before: SampleOrder) -> SampleOrder:
    """Return the order with the checkpoint's shares, if the plan measures them and they fit its ranks."""
    fits = (before.size, before.global_batch_size) == (order.size, order.global_batch_size)
    if plan.parallel != "balanced" or plan.shares or not fits:
        return order
    return dataclasses.replace(order, shares=before.shares)


def _compiled(plan: Plan, facts: Mapping[str, Any]) -> bool | None:
    """Return the checkpoint's choice. A run that was too short for XLA, and is longer now, chooses again."""
    stored: bool | None = facts.get("compiled")
    is_longer = plan.epochs > facts["plan"]["epochs"]
    return None if is_longer and not stored else stored
