"""What training with local steps cannot do."""

from __future__ import annotations

from ddl.training.optimization.optimizers import is_full_batch
from ddl.training.plan.fields import PlanFields
from ddl.training.plan.modes.rule import Rule

_HERE = "with parallel=local"


def rules(plan: PlanFields) -> list[Rule]:
    """Return the rules of the mode; none for a plan in another mode."""
    if plan.parallel != "local":
        return []
    return [*_about_the_average(plan), *_about_the_steps(plan), *_about_what_is_measured(plan)]


def _about_the_average(plan: PlanFields) -> list[Rule]:
    """Return the rules of the outer optimizer and of speeds."""
    return [
        *(
            (
                plan.outer_optimizer == "average"
                and getattr(plan, name) != getattr(PlanFields, name),
                f"{name}={getattr(plan, name):g} with outer_optimizer=average, which does not use it",
                f"no {name}, or outer_optimizer=nesterov",
            )
            for name in ("outer_learning_rate", "outer_momentum")
        ),
        (
            plan.steps_by_speed and plan.sync_every == 1,
            "steps_by_speed with sync_every=1, where each rank takes one step",
            "sync_every=8 or more, which can be divided by speed",
        ),
        (
            plan.steps_by_speed and plan.order == "contiguous",
            "steps_by_speed with order=contiguous, where a rank cannot take another's samples",
            "order=global",
        ),
        (
            plan.steps_by_speed and plan.mix,
            "steps_by_speed with mix, whose partners are of one global batch",
            "one of them",
        ),
    ]


def _about_the_steps(plan: PlanFields) -> list[Rule]:
    """Return the rules of what a step of one rank cannot be."""
    options = plan.optimizer_option
    return [
        (
            plan.model_option.get("norm") == "sync",
            f"model_option norm=sync {_HERE}, whose steps each rank takes alone",
            "norm=batch, whose statistics are averaged with the weights; or norm=group",
        ),
        (
            is_full_batch(plan.optimizer),
            f"optimizer={plan.optimizer} {_HERE}; its steps are over all samples of all ranks",
            "another optimizer, or parallel=sync",
        ),
        (
            options.get("use_ema"),
            f"optimizer_option use_ema=true {_HERE}, where each rank would have a moving average of its own",
            "no use_ema, or parallel=sync; an average over ranks smooths, too",
        ),
        (
            options.get("gradient_accumulation_steps"),
            f"optimizer_option gradient_accumulation_steps {_HERE}, where a round may end between two updates",
            "a larger sync_every, which saves as much traffic, or parallel=sync",
        ),
        (
            plan.learning_rate_scaling == "linear",
            f"learning_rate_scaling=linear {_HERE}, whose steps have the samples of one rank",
            "no learning_rate_scaling; the learning rate is used as it is",
        ),
        (
            plan.steps_per_execution,
            f"steps_per_execution={plan.steps_per_execution} {_HERE}, which takes sync_every steps in a call",
            "no steps_per_execution",
        ),
    ]


def _about_what_is_measured(plan: PlanFields) -> list[Rule]:
    """Return the rules of measurements that need all ranks in every step."""
    why = "which needs the gradient over all ranks"
    return [
        (plan.probe, f"probe={plan.probe} {_HERE}, {why}", "no probe, or parallel=sync"),
        (plan.gradient_norm, f"gradient_norm {_HERE}, {why}", "no gradient_norm, or parallel=sync"),
        (
            plan.epoch_log is not None,
            f"epoch_log={plan.epoch_log} {_HERE}, which needs the loss of all ranks in every step",
            "no epoch_log, or parallel=sync; history.jsonl has the results of each epoch",
        ),
        (
            plan.profile,
            f"profile={plan.profile} {_HERE}, whose steps have no reduction to measure",
            "no profile, or parallel=sync",
        ),
    ]
