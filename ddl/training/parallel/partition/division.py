"""A model divided into parts: which calls are in each, and which tensors pass between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from ddl.training.parallel.layers.graph import Graph, graph_of, sizes_of, variables_of
from ddl.training.parallel.partition.cuts import Tensor, choose_cuts, part_bytes
from ddl.training.parallel.partition.schedule import in_flight
from ddl.training.plan.modes.partition import parts_of_model
from ddl.training.plan.plan import Plan

MIB = 1 << 20


@dataclass(frozen=True)
class Passed:
    """A tensor that passes between parts: its number, the part that makes it, the parts that need it."""

    number: int
    tensor: Any
    made_by: int
    needed_by: tuple[int, ...]


@dataclass(frozen=True)
class Division:
    """A model's calls in parts.

    Attributes:
        graph: the model's calls.
        bounds: of each part the first call and one beyond the last.
        passed: tensors between parts, in order.
    """

    graph: Graph
    bounds: tuple[tuple[int, int], ...]
    passed: tuple[Passed, ...]

    def received(self, part: int) -> list[Passed]:
        """Return what a part gets from earlier ones."""
        return [passed for passed in self.passed if part in passed.needed_by]

    def sent(self, part: int) -> list[Passed]:
        """Return what a part makes for later ones."""
        return [passed for passed in self.passed if passed.made_by == part]

    def owner_of(self, variables: Sequence[keras.Variable]) -> list[int]:
        """Return for each variable of the model the first part that uses it; 0 for others."""
        owners: dict[int, int] = {}
        for part, (first, end) in reversed(list(enumerate(self.bounds))):
            for group in variables_of(self.graph.calls[first:end]):
                owners |= {id(variable): part for variable in group}
        return [owners.get(id(variable), 0) for variable in variables]

    def told(self, part: int, samples: int, waiting: int) -> str:
        """Return a line about a part, for the log."""
        first, end = self.bounds[part]
        size = part_bytes(tensors_of(self.graph, samples), first, end, waiting) / MIB
        return (
            f"Part {part + 1} of {len(self.bounds)}: layers {self.graph.calls[first].name} to "
            f"{self.graph.calls[end - 1].name}, {size:.3g} MiB of layer outputs for {samples} "
            f"sample{'s' if samples > 1 else ''}"
        )


def divided(model: keras.Model, plan: Plan, samples: int) -> Division:
    """Return the plan's parts of a model.

    Args:
        model: functional, with sides of one size.
        plan: with a partition.
        samples: of the largest micro-batch.

    Raises:
        ValueError: the model cannot be divided, or not there.
    """
    graph, parts = graph_of(model), parts_of_model(plan)
    if len(graph.calls) < parts:
        raise ValueError(
            f"Received: partition={plan.partition} for model {plan.model} of {len(graph.calls)} layers. Expected: at "
            "most one part for each layer."
        )
    if plan.partition_at:
        starts = _named(graph, plan.partition_at)
    else:
        waiting = [in_flight(part, parts, plan.micro_batches) for part in range(parts)]
        starts = choose_cuts(len(graph.calls), tensors_of(graph, samples), waiting)
    bounds = tuple(zip([0, *starts], [*starts, len(graph.calls)], strict=True))
    return Division(graph, bounds, _passed(graph, bounds))


def tensors_of(graph: Graph, samples: int) -> list[Tensor]:
    """Return what the calls make, with their sizes for a batch. The model's outputs are needed by its last call."""
    sizes, users = sizes_of(graph, samples), _users(graph)
    return [
        Tensor(place, tuple(users.get(id(tensor), ())), sizes[id(tensor)])
        for place, call in enumerate(graph.calls)
        for tensor in call.outputs
    ]


def _users(graph: Graph) -> dict[int, list[int]]:
    users: dict[int, list[int]] = {}
    for place, call in enumerate(graph.calls):
        for tensor in call.inputs:
            users.setdefault(id(tensor), []).append(place)
    for tensor in graph.outputs:  # the last part computes the loss of all of them
        users.setdefault(id(tensor), []).append(len(graph.calls) - 1)
    return users


def _passed(graph: Graph, bounds: Sequence[tuple[int, int]]) -> tuple[Passed, ...]:
    part_of = [part for part, (first, end) in enumerate(bounds) for _ in range(first, end)]
    users, passed = _users(graph), list[Passed]()
    for place, call in enumerate(graph.calls):
        for tensor in call.outputs:
            parts = sorted({part_of[user] for user in users.get(id(tensor), ())})
            later = tuple(part for part in parts if part > part_of[place])
            if later:
                passed.append(Passed(len(passed), tensor, part_of[place], later))
    return tuple(passed)


def _named(graph: Graph, names: Sequence[str]) -> list[int]:
    places = {call.name: place for place, call in reversed(list(enumerate(graph.calls)))}
    for name in names:
        if name not in places:
            raise ValueError(
                f"Received: partition_at={name}, which no layer is called. Expected: names of layers, as --layer-table "
                f"prints them, such as {graph.calls[len(graph.calls) // 2].name}."
            )
    starts = [places[name] for name in names]
    if starts != sorted(starts) or starts[0] == 0:
        raise ValueError(
            f"Received: partition_at={','.join(names)}. Expected: layers after the first one, in the order in which "
            "--layer-table prints them."
        )
    return starts
