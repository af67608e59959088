"""What a model whose layers are divided among ranks cannot do."""

from __future__ import annotations

from ddl.training.optimization.optimizers import is_full_batch
from ddl.training.plan.fields import PlanFields
from ddl.training.plan.modes.rule import Rule

_KIND = "layers:"


def parts_of_model(plan: PlanFields) -> int:
    """Return how many ranks hold one model together: 1 without a partition."""
    if plan.partition == "none":
        return 1
    return int(plan.partition.removeprefix(_KIND))


def groups_of_ranks(plan: PlanFields, ranks: int) -> int:
    """Return how many times the ranks hold the model. Each group reads its own share of a global batch.

    Raises:
        ValueError: the groups would not be whole.
    """
    parts = parts_of_model(plan)
    if ranks % parts:
        raise ValueError(
            f"Received: partition={plan.partition} on {ranks} rank{'s' if ranks > 1 else ''}. Expected: {parts} ranks, "
            "or a multiple of them (mpirun -np)."
        )
    return ranks // parts


def rules(plan: PlanFields) -> list[Rule]:
    """Return the rules of the mode; of a plan without a partition only that its settings have no use."""
    if plan.partition == "none":
        return [
            (
                plan.partition_at,
                f"partition_at={','.join(plan.partition_at)} without a partition",
                "partition=layers:2, or as many parts as begin there and one more",
            ),
            (
                plan.micro_batches > 1,
                f"micro_batches={plan.micro_batches} without a partition",
                "partition=layers:2, or micro_batches=1",
            ),
        ]
    number = plan.partition.removeprefix(_KIND)
    if not plan.partition.startswith(_KIND) or not number.isdecimal() or int(number) < 2:
        return [
            (
                True,
                f"partition={plan.partition}",
                "none, or layers:K for K ranks, 2 or more: layers:2",
            )
        ]
    return _of_partition(plan, int(number))


def _of_partition(plan: PlanFields, parts: int) -> list[Rule]:
    chosen, batches = f"partition={plan.partition}", plan.micro_batches
    return [
        (
            plan.partition_at and len(plan.partition_at) != parts - 1,
            f"{len(plan.partition_at)} names in partition_at with {chosen}",
            f"{parts - 1}: the first layer of each part but the first; or none, to divide by memory",
        ),
        (
            len(set(plan.partition_at)) != len(plan.partition_at),
            f"partition_at={','.join(plan.partition_at)}",
            "each name once",
        ),
        (
            batches > (plan.global_batch_size or plan.per_rank_batch_size),
            f"micro_batches={batches} for a batch of {plan.global_batch_size or plan.per_rank_batch_size}",
            "at most one for each sample; raise per_rank_batch_size, which is that of all ranks that hold one model",
        ),
        (
            plan.mixed_precision == "float16",
            f"mixed_precision=float16 with {chosen}, whose ranks cannot agree on a loss scale in mid-step",
            "bfloat16 or none",
        ),
        (
            plan.jit == "true",
            f"jit=true with {chosen}, whose parts wait for each other between their passes",
            "jit=auto or false",
        ),
        (
            is_full_batch(plan.optimizer),
            f"optimizer={plan.optimizer} with {chosen}, which takes steps of single batches",
            "another optimizer, or no partition",
        ),
        (
            plan.probe,
            f"probe={plan.probe} with {chosen}, where no rank sees all layers",
            "no probe, or no partition",
        ),
        (
            plan.profile,
            f"profile={plan.profile} with {chosen}, which does not measure its steps",
            "profile=0, or no partition",
        ),
        (
            plan.steps_per_execution not in (0, 1),
            f"steps_per_execution={plan.steps_per_execution} with {chosen}, whose ranks exchange tensors in each step",
            "steps_per_execution=1",
        ),
        (
            plan.gradient_norm or plan.epoch_log is not None,
            f"{'gradient_norm' if plan.gradient_norm else 'epoch_log'} with {chosen}, which notes no single batches",
            "neither gradient_norm nor epoch_log, or no partition",
        ),
        (
            batches > 1 and plan.loss == "batch_dice",
            f"loss=batch_dice with micro_batches={batches}, which it would see one by one",
            "micro_batches=1, or a loss that is a mean over samples, such as dice",
        ),
        (
            not plan.epochs,
            f"epochs=0 with {chosen}",
            "no partition: a validation alone keeps no layer's output",
        ),
    ]
