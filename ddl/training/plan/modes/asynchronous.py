"""What asynchronous training cannot do."""

from __future__ import annotations

import re

from ddl.distributed.job.launcher import placement
from ddl.models.zoo import MODELS
from ddl.training.optimization.optimizers import is_full_batch
from ddl.training.plan.fields import PlanFields
from ddl.training.plan.modes.rule import Rule

ADDRESS = re.compile(r"([A-Za-z0-9._-]+):([1-9]\d{0,4})")
_HERE = "with parallel=async"


def rules(plan: PlanFields) -> list[Rule]:
    """Return the rules of the mode; none for a plan in another mode."""
    if plan.parallel != "async":
        return []
    return [*_about_the_workers(plan), *_about_the_updates(plan), *_about_what_is_measured(plan)]


def check_alone(plan: PlanFields) -> None:
    """Refuse asynchronous training under a launcher, where all ranks die together.

    Raises:
        ValueError: on all ranks.
    """
    place = placement()
    if plan.parallel == "async" and (place.size > 1 or place.launcher is not None):
        raise ValueError(
            f"Received: parallel=async under {place.launcher} with {place.size} rank(s), which die together. Expected: "
            "one plain process, which starts its workers on Ray; `workers` says how many."
        )


def _about_the_workers(plan: PlanFields) -> list[Rule]:
    address = plan.ray_address
    return [
        (
            address is not None and not ADDRESS.fullmatch(address),
            f"ray_address={address}",
            "HOST:PORT of the cluster's head, such as 10.0.0.1:6379",
        ),
        (
            plan.workers and plan.min_workers > plan.workers and plan.ray_address is None,
            f"min_workers={plan.min_workers} with workers={plan.workers}",
            f"at most {plan.workers}: a cluster of this machine alone has no others",
        ),
        (
            plan.global_batch_size and plan.workers > plan.global_batch_size,
            f"global_batch_size={plan.global_batch_size} with workers={plan.workers}",
            "at least one sample for each worker",
        ),
        (
            plan.order == "contiguous",
            f"order=contiguous {_HERE}, whose workers come and go and so have no samples of their own",
            "order=global",
        ),
        (
            plan.epochs == 0,
            f"epochs=0 {_HERE}, whose workers would have nothing to compute",
            "no parallel; one process validates",
        ),
    ]


def _about_the_updates(plan: PlanFields) -> list[Rule]:
    return [
        (
            norm_of(plan) == "sync",
            f"model_option norm=sync {_HERE}, whose workers do not wait for each other",
            "norm=batch, with the statistics of each worker's samples; or norm=group",
        ),
        (
            is_full_batch(plan.optimizer),
            f"optimizer={plan.optimizer} {_HERE}; its steps are over all samples of all workers",
            "another optimizer, or parallel=sync",
        ),
        (
            plan.optimizer_option.get("gradient_accumulation_steps"),
            f"optimizer_option gradient_accumulation_steps {_HERE}, whose server already takes a global batch in parts",
            "a larger global_batch_size, or more workers",
        ),
        (
            plan.optimizer_option.get("loss_scale_factor"),
            f"optimizer_option loss_scale_factor {_HERE}",
            "no loss_scale_factor, or parallel=sync",
        ),
        (
            plan.mixed_precision == "float16",
            f"mixed_precision=float16 {_HERE}, whose loss scale would change from worker to worker",
            "mixed_precision=bfloat16 or none",
        ),
        (
            plan.jit == "true",
            f"jit=true {_HERE}, whose parts of a global batch differ in size",
            "jit=auto or false",
        ),
        (
            plan.steps_per_execution,
            f"steps_per_execution={plan.steps_per_execution} {_HERE}, whose workers compute one lease at a time",
            "no steps_per_execution",
        ),
    ]


def _about_what_is_measured(plan: PlanFields) -> list[Rule]:
    why = "which needs the gradient of a whole global batch"
    return [
        (plan.probe, f"probe={plan.probe} {_HERE}, {why}", "no probe, or parallel=sync"),
        (plan.gradient_norm, f"gradient_norm {_HERE}, {why}", "no gradient_norm, or parallel=sync"),
        (
            plan.epoch_log is not None,
            f"epoch_log={plan.epoch_log} {_HERE}, whose global batches have no one loss",
            "no epoch_log; history.jsonl has the results of each epoch, updates.jsonl each update",
        ),
        (
            plan.profile,
            f"profile={plan.profile} {_HERE}, whose steps have no reduction to measure",
            "no profile, or parallel=sync",
        ),
    ]


def norm_of(plan: PlanFields) -> str:
    """Return the plan's kind of normalization; "" for a model that only a script knows."""
    if plan.model not in MODELS:
        return ""
    known = MODELS.options(plan.model).get("norm")
    return str(plan.model_option.get("norm", known.default if known else ""))
