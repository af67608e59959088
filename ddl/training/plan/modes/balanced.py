"""What balanced training cannot do."""

from __future__ import annotations

from ddl.training.plan.fields import PlanFields
from ddl.training.plan.modes.rule import Rule


def rules(plan: PlanFields) -> list[Rule]:
    """Return the rules of the mode; none for a plan in another mode."""
    if plan.parallel != "balanced":
        return []
    shares = ",".join(map(str, plan.shares))
    return [
        (
            any(share < 1 for share in plan.shares),
            f"shares={shares}",
            "at least 1 sample for each rank",
        ),
        (
            plan.shares and plan.global_batch_size and sum(plan.shares) != plan.global_batch_size,
            f"shares={shares}, which add up to {sum(plan.shares)}, with global_batch_size={plan.global_batch_size}",
            "shares that add up to the global batch size",
        ),
        (
            plan.order == "contiguous",
            "order=contiguous with parallel=balanced",
            "order=global, because each rank of the other reads only its own block; or parallel=sync",
        ),
        (
            plan.optimizer == "hessian",
            "optimizer=hessian with parallel=balanced",
            "parallel=sync; that optimizer takes all samples in each step",
        ),
        (
            plan.probe,
            f"probe={plan.probe} with parallel=balanced",
            "no probe, or parallel=sync",
        ),
        (
            plan.jit == "true" and not plan.shares,
            "jit=true with parallel=balanced",
            "jit=auto, or shares that stay; XLA would compile the step again for each change of shares",
        ),
    ]
