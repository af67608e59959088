"""Views of a store that no file stands behind, for tests of pure decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ddl.experiments.agent.layout import ExperimentFolder
from ddl.experiments.spec.node import Node, Nodes
from ddl.experiments.spec.records import Experiment, Run
from ddl.experiments.store.attempts import AttemptView
from ddl.experiments.store.folder import StoreFolder
from ddl.experiments.store.state import state_of
from ddl.experiments.store.view import ExperimentView, StoreView
from ddl.experiments.store.wanted import DEFAULTS

STORE = StoreFolder(Path("/nowhere/store"), "1f2e3d4c", "cells")
NODES = Nodes(
    nodes={
        "here": Node(name="here", shared=True, slots=2),
        "server": Node(name="server", type="ssh", ssh="server", slots=4),
        "cluster": Node(name="cluster", type="slurm", ssh="cluster", shared=True, max_queued=2),
    },
    groups={"servers": ("here", "server")},
)


def name_of(number: int, attempt: int) -> str:
    """Return the name of an attempt."""
    return f"ddl-{STORE.id}-{number:03d}-a{attempt}"


def attempt_view(number: int, attempt: int, node: str = "here", **parts: Any) -> AttemptView:
    """Return an attempt of experiment `number`; `parts` are files or fields of its intent."""
    folder = folder_of(number).attempt(attempt)
    files = {
        key: parts.pop(key) for key in ("status", "stop", "heartbeat", "claims") if key in parts
    }
    submitted = parts.pop("submitted", None)
    intent = {"name": name_of(number, attempt), "number": attempt, "node": node, "created": 0.0}
    return AttemptView(
        folder=folder,
        number=attempt,
        intent={**intent, "root": str(STORE.path), "chain": "manager", **parts},
        submitted=submitted or {},
        is_submitted=submitted is not None,
        **files,
    )


def folder_of(number: int) -> ExperimentFolder:
    """Return the folder of an experiment."""
    return ExperimentFolder(STORE.path / f"{number:03d}-x{number}")


def experiment_view(
    number: int,
    attempts: Sequence[AttemptView] = (),
    wanted: Mapping[str, Any] | None = None,
    now: float = 1000.0,
    **record: Any,
) -> ExperimentView:
    """Return an experiment that is wanted to run, unless `wanted` says otherwise."""
    found = Experiment(
        number=number, name=f"{number:03d}-x{number}", run=Run(argv=("true",)), **record
    )
    wishes = {**DEFAULTS, "want": "run", **(wanted or {})}
    state, why, since = state_of(found, wishes, attempts, {}, now)
    return ExperimentView(
        record=found,
        folder=folder_of(number),
        wanted=wishes,
        attempts=tuple(attempts),
        state=state,
        why=why,
        since=since,
        node=found.node,
        seen_age_s=None,
        epoch=None,
        epochs=None,
        last={},
        findings_count=0,
    )


def store_view(*experiments: ExperimentView, now: float = 1000.0) -> StoreView:
    """Return a store of these experiments."""
    return StoreView(store=STORE, experiments=experiments, nodes_seen={}, damaged={}, now=now)
