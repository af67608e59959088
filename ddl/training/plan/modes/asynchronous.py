"""What asynchronous training cannot do."""

from __future__ import annotations

from ddl.models.zoo import MODELS
from ddl.training.plan.fields import PlanFields
from ddl.training.plan.modes.rule import Rule


def rules(plan: PlanFields) -> list[Rule]:
    """Return the rules of the mode; none for a plan in another mode."""
    if plan.parallel != "async":
        return []
    mode, options = "with parallel=async", plan.optimizer_option
    accumulated = options.get("gradient_accumulation_steps")
    return [
        (
            norm_of(plan) == "sync",
            f"norm=sync {mode}: workers compute at different times and share no batch",
            "model_option norm=group, or norm=batch with each lease's own statistics; or parallel=sync",
        ),
        (
            plan.mixed_precision == "float16",
            f"mixed_precision=float16 {mode}, whose loss scale is one worker's",
            "mixed_precision=bfloat16 or none; or parallel=sync",
        ),
        (
            accumulated,
            f"gradient_accumulation_steps={accumulated} {mode}, whose server updates once a push",
            "a larger per_rank_batch_size; or parallel=sync",
        ),
        (
            options.get("loss_scale_factor"),
            f"loss_scale_factor={options.get('loss_scale_factor')} {mode}",
            "no loss_scale_factor; or parallel=sync",
        ),
        (
            plan.optimizer == "hessian",
            f"optimizer=hessian {mode}, whose steps are over all samples",
            "another optimizer; or parallel=sync",
        ),
        (
            plan.jit == "true",
            f"jit=true {mode}, whose gradients are computed without XLA",
            "jit=auto or jit=false; or parallel=sync",
        ),
        (
            plan.probe,
            f"probe={plan.probe} {mode}, whose layers are on the workers",
            "no probe; or parallel=sync",
        ),
        (
            plan.profile,
            f"profile={plan.profile} {mode}, whose steps are on the workers",
            "no profile; or parallel=sync",
        ),
    ]


def norm_of(plan: PlanFields) -> str:
    """Return the plan's kind of normalization; "" for a model that only a script knows."""
    if plan.model not in MODELS:
        return ""
    known = MODELS.options(plan.model).get("norm")
    return str(plan.model_option.get("norm", known.default if known else ""))
