"""Which checkpoint a plan resumes from, whether it may, and at which step. No TensorFlow here."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ddl.data.order import SampleOrder
from ddl.data.preprocessing import Preprocessing
from ddl.distributed.job.launcher import placement
from ddl.training.checkpoint.checkpoint_file import Checkpoint
from ddl.training.checkpoint.checkpoint_folder import find_checkpoint
from ddl.training.optimization.schedules import needs_length
from ddl.training.plan.plan import Plan
from ddl.training.record.run_dir import check_origin
from ddl.training.run import Run

logger = logging.getLogger("ddl")

# What may differ between a checkpoint and the plan that goes on from it. The rest decides what is learned.
FREE = frozenset(
    {
        *("run_dir", "data", "validation_data", "cache", "data_threads", "init_weights"),
        *("epochs", "schedule_epochs", "per_rank_batch_size", "time_limit_min", "log_every_s"),
        *(
            "tensorboard",
            "steps_per_execution",
            "profile",
            "resume",
            "checkpoint_every_epochs",
            "checkpoint_every_min",
        ),
        *("keep_last", "keep_best", "keep_every_epochs", "monitor", "monitor_mode"),
        *("early_stopping_patience", "early_stopping_min_delta"),
    }
)


def find_start(plan: Plan) -> Checkpoint | None:
    """Return the verified checkpoint that the plan resumes from; None where it starts at the first step.

    Rank 0 calls it once, and hands on what it returns. It writes nothing.

    Raises:
        ValueError: there is no such checkpoint, or it contradicts the plan.
    """
    if plan.resume is None:
        return None
    found = find_checkpoint(plan.run_dir, plan.resume, plan.monitor, plan.mode)
    if found is not None:
        check_resume(plan, found.facts, found.path)
        check_origin(plan.run_dir, found.path)
    return found


def check_resume(plan: Plan, facts: Mapping[str, Any], source: object) -> None:
    """Refuse a plan that contradicts the checkpoint.

    Raises:
        ValueError: with every field that differs, both values, and the remedy.
    """
    then, now = facts["plan"], plan.to_dict()
    free = FREE - {"monitor", "monitor_mode"} if plan.schedule == "plateau" else FREE
    different = [
        f"{name}={now[name]!r} (there {then.get(name)!r})"
        for name in now
        if name not in free and now[name] != then.get(name)
    ]
    if different:
        raise ValueError(
            f"Received: {', '.join(different)}, to go on from {source}. Expected: what the checkpoint has; or a new "
            "--run-dir with --init-weights, which takes over its weights alone."
        )
    length = then["schedule_epochs"] or then["epochs"]
    if needs_length(plan.schedule) and plan.schedule_length != length:
        raise ValueError(
            f"Received: {plan.schedule_length} epochs for the schedule {plan.schedule!r}, which was stretched over "
            f"{length} in {source}. Expected: --schedule-epochs {length}, after which the rate stays as it is then."
        )


def check_data(fingerprint: str, facts: Mapping[str, Any], source: object) -> None:
    """Refuse to go on with other data."""
    if fingerprint != facts["data_fingerprint"]:
        raise ValueError(
            f"Received: other data than {source} was trained on. Expected: the same samples in the same order; or a "
            "new --run-dir with --init-weights."
        )


def resumed_run(
    plan: Plan, order: SampleOrder, preprocessing: Preprocessing, facts: Mapping[str, Any]
) -> Run:
    """Return the run that goes on from a checkpoint's facts.

    Raises:
        ValueError: the samples that are left could not be told from those that were seen.
    """
    try:
        position = order.resume(facts["order"])
    except ValueError as error:
        epoch = facts["position"]["epoch"]
        raise ValueError(
            f"{error} Or go on from the end of an epoch: --resume {epoch}, if it is there."
        ) from error
    before = SampleOrder(**{name: facts["order"][name] for name in order.__dataclass_fields__})
    run = Run(
        plan,
        order,
        facts["reference_batch_size"],
        facts["data_fingerprint"],
        preprocessing,
        position,
        history=[dict(epoch) for epoch in facts["history"]],
        seconds_before=facts["seconds_before"],
        batch_has_changed=before.global_batch_size != order.global_batch_size,
    )
    if run.batch_has_changed and placement().rank == 0:
        per_rank, rest = divmod(before.global_batch_size, order.size)
        logger.warning(
            "the checkpoint was trained with %d samples a step, this run takes %d: what is learned from here on is "
            "not what it would have been.%s",
            before.global_batch_size,
            order.global_batch_size,
            ""
            if rest
            else f" --per-rank-batch-size {per_rank} on {order.size} rank(s) would keep it.",
        )
    return run
