"""Derives the order of samples from a plan, and refuses batches and epochs that the data cannot fill."""

from __future__ import annotations

from ddl.data.order import SampleOrder
from ddl.training.optimization.optimizers import is_full_batch
from ddl.training.plan.modes.partition import groups_of_ranks
from ddl.training.plan.plan import Plan


class BatchTooLarge(ValueError):
    """A batch has more samples than the training data."""

    def __init__(self, name: str, batch: int, plan: Plan, count: int) -> None:
        super().__init__(
            f"Received: {name}={batch} for {count} training samples in {plan.data}. Expected: at most {name}={count}."
        )
        self.count = count


def plan_order(plan: Plan, count: int, size: int) -> SampleOrder:
    """Return which of `size` ranks reads which of `count` training samples when.

    Ranks that hold one model together read the same samples. They count as one.

    Raises:
        BatchTooLarge: a batch is larger than the data.
        ValueError: a batch is smaller than the ranks, or an epoch has fewer steps than the plan
            asks for.
    """
    size = groups_of_ranks(plan, size)
    whole, per_rank = plan.global_batch_size, plan.per_rank_batch_size
    if whole and whole < size:
        raise ValueError(
            f"Received: global_batch_size={whole} for {size} ranks. Expected: at least one sample per rank; start "
            "fewer ranks."
        )
    # The default is nobody's wish: of 5 samples it takes 5.
    is_given = bool(whole) or per_rank != Plan.per_rank_batch_size
    if is_given and (whole or per_rank) > count:
        name = "global_batch_size" if whole else "per_rank_batch_size"
        raise BatchTooLarge(name, whole or per_rank, plan, count)
    if is_full_batch(plan.optimizer):  # an epoch is one step; each rank reads its own block
        return SampleOrder("global", count, -(-count // size), size, plan.seed, batch_size=count)
    return SampleOrder(
        plan.order,
        count,
        -(-whole // size) if whole else per_rank,
        size,
        plan.seed,
        batch_size=whole,
        cut_steps=plan.steps_per_epoch,
        shares=plan.shares,
    )


def reference_batch_size(plan: Plan) -> int:
    """Return the batch size that the plan's learning rate is for: one rank's, or a given global one."""
    return plan.global_batch_size or plan.per_rank_batch_size
