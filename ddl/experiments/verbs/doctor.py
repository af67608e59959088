"""`doctor`: check this machine, the nodes and the store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ddl.experiments.backends.backend import Backend
from ddl.experiments.preflight.asking import ask_each
from ddl.experiments.preflight.checks import NO, OK, UNKNOWN, Check
from ddl.experiments.preflight.this_machine import (
    check_home,
    check_mail,
    check_programs,
    check_store,
)
from ddl.experiments.preflight.which_nodes import known_nodes
from ddl.experiments.store.folder import StoreFolder, find_store
from ddl.experiments.verbs.of_store import SOMETHING_FAILED, OfStore, say, say_json
from ddl.plain_text import escaped

_CLOCKS_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Settings(OfStore):
    """Check this machine, the store and the nodes: programs, file system, clocks, Python on the nodes, Slurm, mail.

    Run it first where something does not work. It changes nothing but a folder in the store that it removes again, and
    a copy of the agent on each node. Ends with status 3 where something cannot work.

    Attributes:
        time_limit_s: a node that has not answered by then is left
    """

    time_limit_s: float = 30.0


def run(settings: Settings) -> int:
    """Check, and tell."""
    if settings.time_limit_s <= 0:
        raise ValueError(
            f"Received: time_limit_s={settings.time_limit_s:g}. Expected: a positive number."
        )
    found: dict[str, list[Check]] = {}
    for place, check in _all(settings):
        if not settings.json and place not in found:
            say([escaped(f"{place}:")])
        found.setdefault(place, []).append(check)
        if not settings.json:
            say([escaped(f"  {check.verdict:8} {check.what:8} {check.text}")])
    if settings.json:
        say_json({place: [asdict(check) for check in checks] for place, checks in found.items()})
    bad = any(check.verdict == NO for checks in found.values() for check in checks)
    return SOMETHING_FAILED if bad else 0


def _all(settings: Settings) -> Iterator[tuple[str, Check]]:
    """Yield each place with a check of it."""
    for check in (*check_programs(), check_home(), check_mail()):
        yield "this machine", check
    store, why = _store(settings)
    if store is None:
        yield "store", Check(UNKNOWN, "store", why)
    else:
        for check in check_store(store.path):
            yield f"store {store.name}", check
    yield from _nodes(store, settings.time_limit_s)


def _store(settings: Settings) -> tuple[StoreFolder | None, str]:
    """Return the store that is meant, or why there is none."""
    try:
        return find_store(settings.store, Path.cwd()), ""
    except ValueError as error:
        if settings.store is not None:
            raise
        return None, str(error)


def _nodes(store: StoreFolder | None, limit_s: float) -> Iterator[tuple[str, Check]]:
    nodes = tuple(known_nodes(store, None).nodes.values())
    for answer in ask_each(nodes, _ask, limit_s):
        place = f"node {answer.node.name}"
        if answer.value is None:
            yield place, Check(UNKNOWN, "agent", f"cannot be reached: {answer.problem}")
            continue
        for check in _of_facts(answer.value):
            yield place, check


def _ask(backend: Backend) -> dict[str, Any]:
    before = time.time()
    facts = backend.facts()
    return {**facts, "asked": before, "answered": time.time()}


def _of_facts(facts: dict[str, Any]) -> Iterator[Check]:
    yield Check(OK, "agent", f"runs on {facts.get('host')} by Python {facts.get('python')}")
    there = facts.get("time")
    if isinstance(there, int | float):
        ahead_s = max(there - facts["answered"], min(0.0, there - facts["asked"]))
        verdict = OK if abs(ahead_s) <= _CLOCKS_S else UNKNOWN
        told = (
            "agrees with ours" if verdict == OK else f"is {ahead_s:+.0f} s off ours: ages are wrong"
        )
        yield Check(verdict, "clock", told)
    disk = facts.get("disk") or {}
    if disk.get("free_bytes") is not None:
        yield Check(
            OK, "disk", f"{disk['free_bytes'] / 1e9:.1f} GB are free in {disk.get('folder')}"
        )
    cluster = facts.get("slurm")
    if cluster:
        names = [str(each["name"]) for each in cluster["partitions"]]
        version = " ".join(cluster["version"])
        yield Check(OK, "Slurm", f"{version}, partitions {', '.join(names) or 'none'}")
