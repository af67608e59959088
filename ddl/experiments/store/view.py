"""A store as its files tell it at one moment. Reads only: no file is written, no process started, no node asked."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.experiments.agent.layout import AttemptFolder, ExperimentFolder
from ddl.experiments.spec.records import Experiment
from ddl.experiments.store.attempts import AttemptView, number
from ddl.experiments.store.epochs import epochs_of, last_row
from ddl.experiments.store.files import Files
from ddl.experiments.store.folder import StoreFolder, open_store
from ddl.experiments.store.state import heard_of, state_of
from ddl.experiments.store.wanted import DEFAULTS


@dataclass(frozen=True, kw_only=True)
class ExperimentView:
    """An experiment: what it is, what is wanted of it, its attempts, and the state that follows."""

    record: Experiment
    folder: ExperimentFolder
    wanted: Mapping[str, Any]
    attempts: tuple[AttemptView, ...]
    state: str
    why: str
    since: float
    """When the state began, in seconds since the epoch."""
    node: str
    """The node of its newest attempt, else the node or group that it shall run on."""
    seen_age_s: float | None
    """Age of the newest sign of a live attempt, None where there is none."""
    epoch: int | None
    epochs: int | None
    last: Mapping[str, Any]
    """The newest row of its history, {} without one."""
    findings_count: int

    @property
    def name(self) -> str:
        """Its name in the store."""
        return self.record.name

    @property
    def number(self) -> int:
        """Its number in the store."""
        return self.record.number

    @property
    def attempt(self) -> AttemptView | None:
        """Its newest attempt."""
        return self.attempts[-1] if self.attempts else None


@dataclass(frozen=True, kw_only=True)
class StoreView:
    """All experiments of a store, by number."""

    store: StoreFolder
    experiments: tuple[ExperimentView, ...]
    nodes_seen: Mapping[str, Mapping[str, Any]]
    """Node -> what `sync` saw of it last."""
    damaged: Mapping[str, str]
    """Name of a folder whose experiment cannot be read -> the reason in one line."""
    now: float


def read_view(path: Path, now: float | None = None, files: Files | None = None) -> StoreView:
    """Read a store.

    Args:
        path: its folder.
        now: the time that ages are counted from; None is the present.
        files: what earlier calls have read, for callers that read again and again.

    Raises:
        ValueError: It is no store. A single damaged experiment is named in `damaged` instead.
    """
    store = open_store(path)
    now = time.time() if now is None else now
    files = files or Files()
    seen, waits = _read_seen(store, files), files.read(store.waits)
    experiments, damaged = [], {}
    for folder in store.folders():
        try:
            experiments.append(read_experiment(folder, seen, now, files, waits))
        except FileNotFoundError:  # taken away meanwhile
            if folder.path.exists():
                damaged[folder.path.name] = f"{folder.experiment.name} is missing"
        except (OSError, ValueError) as error:
            damaged[folder.path.name] = str(error)
    found = tuple(experiments)
    return StoreView(store=store, experiments=found, nodes_seen=seen, damaged=damaged, now=now)


def read_again(store: StoreFolder, folder: ExperimentFolder, files: Files) -> ExperimentView:
    """Read one experiment of a store as it is now.

    Raises:
        OSError, ValueError: What it is cannot be read.
    """
    seen, waits = _read_seen(store, files), files.read(store.waits)
    return read_experiment(folder, seen, time.time(), files, waits)


def read_experiment(
    folder: ExperimentFolder,
    seen: Mapping[str, Mapping[str, Any]],
    now: float,
    files: Files,
    waits: Mapping[str, Any],
) -> ExperimentView:
    """Read one experiment. `waits` says why `sync` has not handed it over.

    Raises:
        OSError, ValueError: What it is cannot be read.
    """
    record = files.parsed(folder.experiment, Experiment.from_json)
    names = files.names(folder.path)
    wanted = {**DEFAULTS, **(files.read(folder.wanted) if "wanted.json" in names else {})}
    attempts = _read_attempts(folder, files) if "attempts" in names else ()
    state, why, since = state_of(record, wanted, attempts, seen, now)
    if state == "queued":
        why = str(waits.get(record.name) or why)
    last = _last_row(folder, files) if "history.json" in names else {}
    newest = attempts[-1] if attempts else None
    return ExperimentView(
        record=record,
        folder=folder,
        wanted=wanted,
        attempts=attempts,
        state=state,
        why=why,
        since=since,
        node=(newest.node if newest else "") or str(wanted["node"] or record.node),
        seen_age_s=_seen_age(attempts, seen, now, number(last.get("time"))),
        epoch=_epoch(last, attempts),
        epochs=epochs_of(record),
        last=last,
        findings_count=sum(files.lines(attempt.folder.findings) for attempt in attempts),
    )


def _read_seen(store: StoreFolder, files: Files) -> dict[str, Mapping[str, Any]]:
    names = [name for name in files.names(store.seen) if name.endswith(".json")]
    return {
        name.removesuffix(".json"): files.read(store.seen / name)
        for name in sorted(names)
        if not name.startswith(".")
    }


def _read_attempts(folder: ExperimentFolder, files: Files) -> tuple[AttemptView, ...]:
    numbers = sorted(int(name) for name in files.names(folder.attempts) if name.isdecimal())
    return tuple(_read_attempt(folder.attempt(attempt), files) for attempt in numbers)


def _read_attempt(folder: AttemptFolder, files: Files) -> AttemptView:
    names = files.names(folder.path)
    read = functools.partial(_read_named, names, files)
    return AttemptView(
        folder=folder,
        number=folder.number,
        intent=read(folder.intent),
        submitted=read(folder.submitted),
        is_submitted=folder.submitted.name in names,
        claims=_read_claims(folder, files) if "claims" in names else (),
        heartbeat=read(folder.heartbeat),
        status=read(folder.status),
        stop=read(folder.stop),
    )


def _read_named(names: frozenset[str], files: Files, path: Path) -> Mapping[str, Any]:
    return files.read(path) if path.name in names else {}


def _read_claims(folder: AttemptFolder, files: Files) -> tuple[Mapping[str, Any], ...]:
    numbers = sorted(int(name) for name in files.names(folder.claims) if name.isdecimal())
    return tuple(
        {"number": claim, **files.read(folder.claim(claim) / "identity.json")} for claim in numbers
    )


def _seen_age(
    attempts: tuple[AttemptView, ...],
    seen: Mapping[str, Mapping[str, Any]],
    now: float,
    row_time: float,
) -> float | None:
    live = [attempt for attempt in attempts if not attempt.has_ended]
    if not live:
        return None
    heard = [heard_of(attempt, seen.get(attempt.node, {})) for attempt in live]
    answered = [node for node in (seen.get(a.node, {}) for a in live) if node.get("reachable")]
    newest = max([row_time, *heard, *(number(node.get("time")) for node in answered)])
    newest = newest or max(attempt.created for attempt in live)
    return max(0.0, now - newest) if newest else None


def _last_row(folder: ExperimentFolder, files: Files) -> Mapping[str, Any]:
    try:
        return files.made(folder.history, last_row)
    except (OSError, ValueError):
        return {}


def _epoch(last: Mapping[str, Any], attempts: tuple[AttemptView, ...]) -> int | None:
    told = number(last.get("epoch")) or max(
        (number(attempt.status.get("epochs")) for attempt in attempts), default=0.0
    )
    return int(told) if told else None
