"""Which node gets a new attempt: the least loaded that meets the needs and has room in its queue. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ddl.experiments.engine.actions import NewAttempt, Nothing
from ddl.experiments.engine.seen import NodeSeen
from ddl.experiments.preflight.checks import unmet
from ddl.experiments.spec.node import Node, Nodes
from ddl.experiments.spec.records import Needs
from ddl.experiments.store.view import ExperimentView, StoreView

_NOT_ASKED = NodeSeen(reachable=False, error="it was not asked")


def impossible(experiment: ExperimentView, nodes: Nodes, seen: Mapping[str, NodeSeen]) -> bool:
    """Return whether no node can ever run an experiment, as nodes.yaml and the nodes' own answers are now."""
    if experiment.wanted.get("want") != "run":
        return False
    if any(attempt.name and not attempt.has_ended for attempt in experiment.attempts):
        return False
    return all(
        (answer := seen.get(node.name, _NOT_ASKED)).reachable
        and node.type != "slurm"  # its scheduler refuses what it cannot run
        and bool(_unmet(node, experiment.record.needs, answer.facts))
        for node in nodes.of(_wanted_node(experiment))
    )


class Places:
    """The nodes with what they hold, and what this round has given them."""

    def __init__(self, view: StoreView, nodes: Nodes, seen: Mapping[str, NodeSeen]) -> None:
        """Count what the nodes hold of this store: an attempt whose end is not known holds its place."""
        self._nodes = nodes
        self._seen = seen
        self._held = Counter(
            attempt.node
            for experiment in view.experiments
            for attempt in experiment.attempts
            if attempt.name and not attempt.has_ended
        )

    def place(self, experiment: ExperimentView, attempt: int, reason: str) -> NewAttempt | Nothing:
        """Return the attempt with its node, or why it has to wait."""
        wanted = _wanted_node(experiment)
        nodes = self._nodes.of(wanted)
        if not nodes:
            known = ", ".join([*self._nodes.nodes, *self._nodes.groups])
            return Nothing(
                experiment=experiment.name, why=f"no node or group {wanted}; nodes.yaml has {known}"
            )
        # Where no cluster of the group has what is needed, Slurm says why: the experiment is refused, with its reason.
        fit = [node for node in nodes if not self._is_too_small(node, experiment)]
        nodes = tuple(fit) or nodes
        problems = {node.name: self._problem(node, experiment.record.needs) for node in nodes}
        free = [node for node in nodes if not problems[node.name]]
        if not free:
            told = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
            return Nothing(experiment=experiment.name, why=told)
        node = min(free, key=self._load)
        self._held[node.name] += 1
        return NewAttempt(
            experiment=experiment.name, attempt=attempt, node=node.name, reason=reason
        )

    def _problem(self, node: Node, needs: Needs) -> str:
        """Return why a node gets nothing now, "" if it may."""
        answer = self._seen.get(node.name, _NOT_ASKED)
        if not answer.reachable:
            return answer.error or "it does not answer"
        if node.max_queued is not None and self._held[node.name] >= node.max_queued:
            return f"its queue holds {self._held[node.name]} of {node.max_queued} (max_queued)"
        return "" if node.type == "slurm" else _unmet(node, needs, answer.facts)

    def _is_too_small(self, node: Node, experiment: ExperimentView) -> bool:
        """Return whether a cluster can certainly never run an experiment."""
        answer = self._seen.get(node.name, _NOT_ASKED)
        return node.type == "slurm" and bool(unmet(experiment.record, node, answer.facts))

    def _load(self, node: Node) -> tuple[float, float]:
        """Return how loaded a node is: what we gave it for each slot, then what else runs there."""
        facts = self._seen[node.name].facts
        cores = _number(facts.get("cores")) or 1.0
        load = facts.get("load")
        busy = _number(load[-1] if isinstance(load, list | tuple) and load else load) / cores
        return (self._held[node.name] + 1) / max(1, node.slots), busy


def _wanted_node(experiment: ExperimentView) -> str:
    return str(experiment.wanted.get("node") or experiment.record.node)


def _unmet(node: Node, needs: Needs, facts: Mapping[str, Any]) -> str:
    """Return which need a node can never meet, "" if none. What a node does not tell is not held against it."""
    gpus = facts.get("gpus")
    count = len(gpus) if isinstance(gpus, list) else None
    count = node.gpus if node.gpus is not None else count
    if needs.gpus and count is not None and needs.gpus > count:
        return f"needs {needs.gpus} GPUs, has {count}"
    if needs.cores and (cores := _number(facts.get("cores"))) and needs.cores > cores:
        return f"needs {needs.cores} cores, has {cores:g}"
    memory = facts.get("memory")
    total = _number(memory.get("total_bytes")) if isinstance(memory, Mapping) else _number(memory)
    if needs.memory_bytes and total and needs.memory_bytes > total:
        return f"needs {needs.memory_bytes / 1e9:.1f} GB of memory, has {total / 1e9:.1f}"
    return ""


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value)
