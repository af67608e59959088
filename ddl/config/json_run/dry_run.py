"""What --dry-run prints: the run as it would start, without TensorFlow and without a file written."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from ddl.config.json_run.ordering import Ordered, settled_end
from ddl.config.json_run.screen import rule_lines
from ddl.data.source import Source
from ddl.distributed.job.launcher import placement
from ddl.models.network.file import Summary
from ddl.models.network.kinds.shapes import by
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
    if ordered.network is not None:
        yield from network_lines(ordered.network)
    yield from rule_lines(plan)
    if ordered.network is not None and (note := settled_end(vars(plan), ordered.network).note):
        yield f"Loss: {note}"
    for line in data.describe(plan):
        yield f"Data: {line}"
    ranks = placement().size
    steps = plan_order(plan, len(data.training), ranks).steps_per_epoch
    if plan.epochs:
        classes = "" if plan.predicts == "values" else f", {data.classes} class(es)"
        yield f"Data: {_samples(data.training)} for training{classes}"
        yield f"Data: {steps} steps an epoch on {ranks} rank(s)"
    if data.validation is not None:
        yield f"Data: {_samples(data.validation)} for test"
    yield f"Run directory: {plan.run_dir}"
    yield f"In flags: {command_line(plan, ranks)}"


def network_lines(network: Summary) -> Iterator[str]:
    """Yield a line for each layer: name, kind, shape and parameters; and one for all of them."""
    rows = [
        (layer.node.name, layer.node.kind, by(layer.shape), f"{layer.parameters:,}")
        for layer in network.layers
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, kind, shape, parameters in rows:
        cells = name.ljust(widths[0]), kind.ljust(widths[1]), shape.ljust(widths[2])
        yield f"Network: {'  '.join(cells)}  {parameters.rjust(widths[3])}"
    shapes = f"input {by(network.input_shape)}, output {by(network.output_shape)}"
    yield (
        f"Network: {len(rows)} layers, {network.parameters:,} parameters, {network.trainable:,} of them trainable; "
        f"{shapes} ({network.last_activation})"
    )


def _samples(source: Source) -> str:
    """Return the number of samples and the shape of the first one's fields."""
    shapes = ", ".join(
        f"{name} {_sides(field.shape)} {field.dtype}" for name, field in source.fields.items()
    )
    return f"{len(source)} samples ({shapes})"


def _sides(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a number"
