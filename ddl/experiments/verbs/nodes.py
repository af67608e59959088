"""`nodes [SPEC] [NAME ...]`: what each machine has, and what of it is free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddl.experiments.backends.backend import Backend
from ddl.experiments.preflight.asking import Answer, ask_each
from ddl.experiments.preflight.which_nodes import chosen_nodes, known_nodes
from ddl.experiments.spec.node import Node
from ddl.experiments.spec.text.units import in_time
from ddl.experiments.store.folder import StoreFolder, find_store
from ddl.experiments.terminal.words import size
from ddl.experiments.verbs.of_store import OfStore, is_spec, say, say_json
from ddl.flags import ARGUMENT
from ddl.plain_text import escaped

_LIMIT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Settings(OfStore):
    """Show each machine with its GPUs and their memory, cores, memory, disk and queue, and what of it is free.

    The machines are those of a spec's file, else of the store, else of nodes.yaml in this folder, else your own list.
    Without names, all are asked at once. One that cannot be reached is told in a line, and holds up no other.

    Attributes:
        which: a spec's file, then names of nodes or groups
        time_limit_s: a node that has not answered by then is left
    """

    which: tuple[str, ...] = field(default=(), kw_only=False, metadata=ARGUMENT)
    time_limit_s: float = _LIMIT_S


def run(settings: Settings) -> int:
    """Ask, and show."""
    if settings.time_limit_s <= 0:
        raise ValueError(
            f"Received: time_limit_s={settings.time_limit_s:g}. Expected: a positive number."
        )
    words = settings.which
    spec = Path(words[0]) if words and is_spec(words[0]) else None
    nodes = chosen_nodes(known_nodes(None if spec else _store(settings), spec), words[bool(spec) :])
    answers = ask_each(nodes, _facts, settings.time_limit_s)
    if settings.json:
        found = {answer.node.name: _as_json(answer) for answer in answers}
        say_json({node.name: found[node.name] for node in nodes})
        return 0
    for answer in answers:
        say([escaped(line) for line in lines_of(answer)])
    return 0


def _store(settings: Settings) -> StoreFolder | None:
    """Return the store that is meant; None where none was named and none is around."""
    try:
        return find_store(settings.store, Path.cwd())
    except ValueError:
        if settings.store is not None:
            raise
        return None


def _facts(backend: Backend) -> dict[str, Any]:
    return backend.facts()


def lines_of(answer: Answer[dict[str, Any]]) -> Iterator[str]:
    """Yield what a node answered, a line for itself and one for each GPU or partition."""
    node, facts = answer.node, answer.value
    if facts is None:
        yield f"{node.name}: cannot be reached: {answer.problem}"
        return
    place = f"front end {facts.get('host')}" if node.type == "slurm" else str(facts.get("host"))
    yield f"{node.name} ({node.type}, {place}): {', '.join(_parts(node, facts))}"
    for gpu in facts.get("gpus") or ():
        yield f"  {_gpu(gpu)}"
    cluster = facts.get("slurm")
    if isinstance(cluster, Mapping):
        yield from (f"  {line}" for line in _partitions(cluster))


def _parts(node: Node, facts: Mapping[str, Any]) -> Iterator[str]:
    cores = facts.get("cores")
    load = facts.get("load")
    if cores:
        busy = f" with load {load[0]:.1f}" if isinstance(load, Sequence) and load else ""
        yield f"{cores} core{'s' if cores != 1 else ''}{busy}"
    memory = facts.get("memory") or {}
    if memory.get("total_bytes"):
        yield f"{size(memory.get('available_bytes'))} of {size(memory['total_bytes'])} memory free"
    disk = facts.get("disk") or {}
    if disk.get("total_bytes"):
        yield f"{size(disk.get('free_bytes'))} of {size(disk['total_bytes'])} disk free"
    if node.type != "slurm" and not facts.get("gpus"):
        yield "no GPU"
    runner = facts.get("runner") or {}
    running, queued = int(runner.get("running") or 0), int(runner.get("queued") or 0)
    slots = f" of {node.slots} slots" if node.type != "slurm" else ""
    slots = slots if node.max_queued is None else f" (at most {node.max_queued} at once)"
    yield f"ours: {running} running, {queued} waiting{slots}"


def _gpu(gpu: Mapping[str, Any]) -> str:
    memory = "memory unknown"
    if gpu.get("memory_bytes"):
        memory = f"{size(gpu.get('free_bytes'))} of {size(gpu['memory_bytes'])} free"
    use = gpu.get("use")
    busy = f", {use:.0%} in use" if isinstance(use, int | float) else ""
    return f"GPU {gpu.get('index')}: {gpu.get('name')}, {memory}{busy}"


def _partitions(cluster: Mapping[str, Any]) -> Iterator[str]:
    for each in cluster.get("partitions") or ():
        mark = "*" if each.get("name") == cluster.get("partition") else ""
        machines = each.get("machines") or ()
        usable = [machine for machine in machines if machine.get("usable")]
        limit = each.get("max_time_s")
        parts = [
            f"{len(usable)} of {len(machines)} nodes up",
            f"{_sum(usable, 'free_cores')} of {_sum(machines, 'cores')} cores free",
        ]
        if gpus := _sum(machines, "gpus"):
            parts.append(f"{_sum(usable, 'free_gpus')} of {gpus} GPUs free")
        largest = max((machine.get("memory_bytes") or 0 for machine in machines), default=0)
        if largest:
            parts.append(f"{size(largest)} memory in the largest node")
        if queue := each.get("queue"):
            parts.append(f"{queue.get('running', 0)} running, {queue.get('waiting', 0)} waiting")
        parts.append(f"limit {in_time(limit)}" if limit else "no time limit")
        state = "" if each.get("state") == "UP" else f" ({each.get('state')})"
        yield f"{each.get('name')}{mark}{state}: {', '.join(parts)}"


def _sum(machines: Sequence[Mapping[str, Any]], key: str) -> int:
    return sum(int(machine.get(key) or 0) for machine in machines)


def _as_json(answer: Answer[dict[str, Any]]) -> dict[str, Any]:
    kind = {"type": answer.node.type, "reachable": answer.value is not None}
    if answer.value is None:
        return {**kind, "problem": answer.problem}
    return {**kind, "facts": answer.value}
