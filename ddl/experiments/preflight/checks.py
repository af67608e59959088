"""What an experiment needs, beside what a machine or a cluster has. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddl.experiments.spec.node import Node
from ddl.experiments.spec.records import Experiment
from ddl.experiments.spec.text.units import in_bytes, in_time

OK = "ok"
LATER = "later"
UNKNOWN = "unknown"
NO = "no"
VERDICTS = (NO, UNKNOWN, LATER, OK)
"""The worst first. "later": it fits, but not beside what runs now."""


@dataclass(frozen=True)
class Check:
    """One answer.

    Attributes:
        verdict: "ok", "later", "unknown" or "no".
        what: What was looked at: "memory", "time", ...
        text: The numbers, in one line.
    """

    verdict: str
    what: str
    text: str


def check_needs(record: Experiment, node: Node, facts: Mapping[str, Any]) -> list[Check]:
    """Return what a node's facts say about an experiment's needs."""
    if node.type == "slurm":
        return [*_cluster_checks(record, node, facts), *_disk_checks(record, facts)]
    return [*_machine_checks(record, node, facts), *_disk_checks(record, facts)]


def unmet(record: Experiment, node: Node, facts: Mapping[str, Any]) -> str:
    """Return which need a node can never meet, "" if none. What a node does not tell is not held against it."""
    if node.type == "slurm":
        checks = list(_cluster_checks(record, node, facts))
    else:
        checks = list(_machine_checks(record, node, facts))
    return next((check.text for check in checks if check.verdict == NO), "")


def worst(checks: Sequence[Check]) -> str:
    """Return the worst verdict."""
    found = {check.verdict for check in checks}
    return next((verdict for verdict in VERDICTS if verdict in found), OK)


def _machine_checks(record: Experiment, node: Node, facts: Mapping[str, Any]) -> Iterator[Check]:
    needs, ranks = record.needs, record.run.ranks or 1
    cores = _whole(facts.get("cores"))
    wanted = max(needs.cores or 0, ranks)
    if needs.cores or ranks > 1:
        yield _compared("cores", wanted, cores, str, _counted(wanted, "cores"))
    memory = _mapping(facts.get("memory"))
    total, free = _whole(memory.get("total_bytes")), _whole(memory.get("available_bytes"))
    if needs.memory_bytes:
        yield _with_free("memory", needs.memory_bytes, total, free)
    if needs.gpus:
        gpus = facts.get("gpus")
        count = len(gpus) if isinstance(gpus, list) else None
        count = count if node.gpus is None else min(node.gpus, count if count else node.gpus)
        yield _compared("GPUs", needs.gpus, count, str, _counted(needs.gpus, "GPUs"))


def _disk_checks(record: Experiment, facts: Mapping[str, Any]) -> Iterator[Check]:
    wanted = record.needs.disk_bytes
    disk = _mapping(facts.get("disk"))
    free = _whole(disk.get("free_bytes"))
    if wanted:
        yield _compared("disk", wanted, free, in_bytes, f"{in_bytes(wanted)} of disk", "free are")


def _cluster_checks(record: Experiment, node: Node, facts: Mapping[str, Any]) -> Iterator[Check]:
    cluster = _mapping(facts.get("slurm"))
    name = node.partition or str(cluster.get("partition") or "")
    partitions = {str(each.get("name")): each for each in cluster.get("partitions") or ()}
    if not partitions:
        yield Check(UNKNOWN, "partition", "Slurm told nothing of its partitions")
        return
    if name not in partitions:
        known = ", ".join(sorted(partitions))
        yield Check(NO, "partition", f"no partition {name or 'is the default'}; there are {known}")
        return
    partition = partitions[name]
    if str(partition.get("state")) != "UP":
        yield Check(
            LATER, "partition", f"{name} is {partition.get('state') or 'in no known state'}"
        )
    else:
        yield Check(OK, "partition", f"{name} is up")
    yield _time_check(record, node, name, partition)
    yield from _machines_checks(record, name, partition)


def _time_check(record: Experiment, node: Node, name: str, partition: Mapping[str, Any]) -> Check:
    wanted, most = record.needs.time_s, partition.get("max_time_s")
    if wanted is None:
        default = partition.get("default_time_s") or most
        if default is None:
            return Check(OK, "time", f"not said; {name} has no limit")
        return Check(
            UNKNOWN,
            "time",
            f"not said; {name} ends a job after {in_time(default)}. Say needs: time",
        )
    if most is not None and wanted > most:
        return Check(
            NO, "time", f"{in_time(wanted)} are above {in_time(most)}, the limit of {name}"
        )
    limit = (
        f"the limit of {name} is {in_time(most)}" if most is not None else f"{name} has no limit"
    )
    if wanted < 3 * node.signal_before_s:
        return Check(
            OK, "time", f"{in_time(wanted)}, of which a third is kept for the checkpoint; {limit}"
        )
    return Check(OK, "time", f"{in_time(wanted)}; {limit}")


def _machines_checks(
    record: Experiment, name: str, partition: Mapping[str, Any]
) -> Iterator[Check]:
    """Yield whether one machine has all that is needed: an attempt runs on one."""
    machines = [each for each in partition.get("machines") or () if isinstance(each, Mapping)]
    if not machines:
        yield Check(UNKNOWN, "nodes", f"Slurm shows no node of {name}")
        return
    needs, ranks = record.needs, record.run.ranks or 1
    cores = max(needs.cores or 0, ranks)
    cap = _whole(partition.get("max_memory_bytes"))
    wanted: dict[str, tuple[int, str, str, Callable[[int], str]]] = {
        "cores": (cores, "cores", "free_cores", str),
        "memory": (needs.memory_bytes or 0, "memory_bytes", "free_memory_bytes", in_bytes),
        "GPUs": (needs.gpus or 0, "gpus", "free_gpus", str),
    }
    alone = []
    for what, (least, key, _, words) in wanted.items():
        most = max((_whole(each.get(key)) or 0 for each in machines), default=0)
        if what == "memory" and cap:
            most = min(most, cap)
        if least:
            asked = _counted(least, what) if words is str else f"{words(least)} of {what}"
            has = f"the largest node of {name} has"
            alone.append(_compared(what, least, most, words, asked, has))
    yield from alone
    if all(check.verdict == OK for check in alone):
        places = {key: (least, free) for least, key, free, _ in wanted.values() if least}
        yield _together(name, machines, places)


def _together(
    name: str, machines: Sequence[Mapping[str, Any]], places: Mapping[str, tuple[int, str]]
) -> Check:
    """Return whether one machine has all of it. `places`: what a machine has -> needed, what of it is free."""
    fitting = [each for each in machines if _fits(each, {k: v for k, (v, _) in places.items()})]
    if not fitting:
        return Check(NO, "nodes", f"no node of {name} has all of it together")
    usable = [each for each in fitting if each.get("usable")]
    if not usable:
        states = sorted({str(each.get("state")) for each in fitting})
        return Check(LATER, "nodes", f"those that fit are {', '.join(states)}")
    free = {free: least for least, free in places.values()}
    free_now = [each for each in usable if _fits(each, free)]
    if not free_now:
        return Check(LATER, "nodes", f"{len(usable)} of {len(machines)} fit, none is free now")
    return Check(OK, "nodes", f"{len(usable)} of {len(machines)} fit, {len(free_now)} free now")


def _fits(machine: Mapping[str, Any], wanted: Mapping[str, int]) -> bool:
    return all((_whole(machine.get(key)) or 0) >= least for key, least in wanted.items())


def _with_free(what: str, wanted: int, total: int | None, free: int | None) -> Check:
    check = _compared(what, wanted, total, in_bytes, f"{in_bytes(wanted)} of {what}")
    if check.verdict == OK and free is not None and free < wanted:
        return Check(LATER, what, f"{check.text}, only {in_bytes(free)} are free now")
    return check


def _compared(
    what: str,
    wanted: int,
    there: int | None,
    words: Callable[[int], str],
    asked: str,
    where: str = "there are",
) -> Check:
    if there is None:
        return Check(UNKNOWN, what, f"{asked} wanted; what is there is not known")
    verdict = OK if wanted <= there else NO
    return Check(verdict, what, f"{asked} wanted, {where} {words(there)}")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count != 1 else f"1 {what.removesuffix('s')}"


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
