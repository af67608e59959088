"""What a Slurm cluster has, and what of it is free: partitions, nodes, GPUs, the queue. Asks, changes nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ddl.experiments.backends.backend import RUNNING, WAITING
from ddl.experiments.backends.processes import Completed
from ddl.experiments.backends.slurm_text import gpus_in, mib_of, pairs_of, seconds_of, state_of

Ask = Callable[[Sequence[str]], Completed]

_NODES = (
    "NodeList:80|,Partition:60|,CPUsState:40|,Memory:20|,AllocMem:20|,FreeMem:20|,StateLong:40|,"
    "GresUsed:200|,Gres:200"
)
_USABLE = re.compile(r"idle|mixed|allocated|completing|planned|reserved", re.IGNORECASE)


def cluster_facts(ask: Ask, partition: str | None) -> dict[str, Any]:
    """Return version, partitions with their limits and nodes, the lengths of the queues, and this user's jobs.

    Args:
        ask: Runs a command; raises Unreachable unless it answers completely.
        partition: The one that jobs go to; None: the cluster's default.

    Raises:
        Unreachable: The scheduler did not answer.
    """
    shown = ask(["scontrol", "show", "partition", "-o"]).stdout
    partitions = [_partition(line) for line in shown.splitlines() if "PartitionName=" in line]
    rows = [_machine(line) for line in ask(["sinfo", "-h", "-N", "-O", _NODES]).stdout.splitlines()]
    machines = [row for row in rows if row]
    default = next((each["name"] for each in partitions if each["default"]), "")
    used = partition or default
    own = ask(["squeue", "-h", "--me", "-o", "%T"]).stdout.split()
    for each in partitions:
        each["machines"] = [row for row in machines if row["partition"] == each["name"]]
        if each["name"] == used:  # the others' queues may be long, and nobody asked
            queue = ask(["squeue", "-h", "-p", used, "-o", "%T"]).stdout.split()
            each["queue"] = _counts(queue)
    return {
        "version": ask(["sinfo", "--version"]).stdout.split()[-1:],
        "partition": used,
        "partitions": partitions,
        "own": _counts(own),
    }


def _counts(states: Iterable[str]) -> dict[str, int]:
    counted = Counter(state_of(state) for state in states)
    return {"waiting": counted[WAITING], "running": counted[RUNNING]}


def _partition(line: str) -> dict[str, Any]:
    values = pairs_of(line)
    return {
        "name": values.get("PartitionName", ""),
        "default": values.get("Default") == "YES",
        "state": values.get("State", ""),
        "max_time_s": seconds_of(values.get("MaxTime", "")),
        "default_time_s": seconds_of(values.get("DefaultTime", "")),
        "max_nodes": _whole(values.get("MaxNodes", "")),
        "max_memory_bytes": mib_of(values.get("MaxMemPerNode", "")),
    }


def _machine(line: str) -> dict[str, Any]:
    """Return a node of the cluster, {} for a line that is none of sinfo's."""
    words = [word.strip() for word in line.split("|", 8)]
    if len(words) != 9:
        return {}
    name, partition, cores, memory, given, free, state, used, gres = words
    counts = [int(word) for word in cores.split("/") if word.isdecimal()]
    idle, total = (counts[1], counts[3]) if len(counts) == 4 else (0, 0)
    gpus, total_bytes = gpus_in(gres), mib_of(memory)
    return {
        "name": name,
        "partition": partition.rstrip("*"),
        "state": state,
        "usable": bool(_USABLE.match(state)) and not state.endswith("*"),
        "cores": total,
        "free_cores": idle,
        "memory_bytes": total_bytes,
        "free_memory_bytes": _left(total_bytes, mib_of(given)),
        "system_free_bytes": mib_of(free),
        "gpus": gpus,
        "free_gpus": max(0, gpus - gpus_in(used)),
        "gres": "" if gres == "(null)" else gres,
    }


def _left(total: int | None, given: int | None) -> int | None:
    return None if total is None else max(0, total - (given or 0))


def _whole(word: str) -> int | None:
    return int(word) if word.isdecimal() else None
