"""What --dry-run prints: the run as it would start, without TensorFlow and without a file written."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from ddl.config.json_run.ordering import Ordered
from ddl.config.json_run.screen import rule_lines
from ddl.data.source import Source
from ddl.distributed.job.launcher import placement
from ddl.plain_text import tell
from ddl.training.checked_plan import Order
from ddl.training.data.plan_order import plan_order
from ddl.training.plan.plan_flags import command_line


def print_dry_run(ordered: Ordered, order: Order) -> None:
    """Print sections to standard error, and the plan alone, as JSON, to standard output."""
    for line in (*ordered.notes, *dry_run_lines(ordered, order)):
        tell(line)
    sys.stdout.write(order.plan.to_json())


def dry_run_lines(ordered: Ordered, order: Order) -> Iterator[str]:
    """Yield lines on network, rules and data, and the flags' command."""
    plan, data = order.plan, order.data
    yield from rule_lines(plan)
    for line in data.describe(plan):
        yield f"Data: {line}"
    ranks = placement().size
    steps = plan_order(plan, len(data.training), ranks).steps_per_epoch
    yield f"Data: {_samples(data.training)} for training, {data.classes} classes"
    yield f"Data: {steps} steps an epoch on {ranks} rank(s)"
    if data.validation is not None and len(data.validation):
        yield f"Data: {_samples(data.validation)} for test"
    yield f"Run directory: {plan.run_dir}"
    yield f"In flags: {command_line(plan, ranks)}"


def _samples(source: Source) -> str:
    """Return the number of samples and the shape of the first one's fields."""
    shapes = ", ".join(
        f"{name} {_sides(field.shape)} {field.dtype}" for name, field in source.fields.items()
    )
    return f"{len(source)} samples ({shapes})"


def _sides(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a number"
