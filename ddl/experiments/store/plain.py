"""Views as JSON values, for --json and for pages."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ddl.experiments.states import STATES
from ddl.experiments.store.attempts import AttemptView
from ddl.experiments.store.view import ExperimentView, StoreView


def experiment_json(item: ExperimentView) -> dict[str, Any]:
    """Return what `status` shows of an experiment."""
    return {
        "number": item.number,
        "name": item.name,
        "state": item.state,
        "why": item.why,
        "since": item.since,
        "node": item.node,
        "seen_age_s": item.seen_age_s,
        "epoch": item.epoch,
        "epochs": item.epochs,
        "last": dict(item.last),
        "parameters": dict(item.record.parameters),
        "attempts": len(item.attempts),
        "findings": item.findings_count,
        "want": item.wanted["want"],
        "path": str(item.folder.path),
    }


def attempt_json(attempt: AttemptView) -> dict[str, Any]:
    """Return all that the files of an attempt say."""
    return {
        "number": attempt.number,
        "name": attempt.name,
        "path": str(attempt.folder.path),
        "intent": dict(attempt.intent),
        "submitted": dict(attempt.submitted),
        "claims": [dict(claim) for claim in attempt.claims],
        "heartbeat": dict(attempt.heartbeat),
        "stop": dict(attempt.stop),
        "status": dict(attempt.status),
    }


def store_json(view: StoreView, chosen: list[ExperimentView]) -> dict[str, Any]:
    """Return what `status` shows of a store."""
    nodes = {
        name: {key: seen.get(key) for key in ("time", "reachable", "error", "since_unreachable")}
        for name, seen in view.nodes_seen.items()
    }
    return {
        "store": str(view.store.path),
        "id": view.store.id,
        "name": view.store.name,
        "time": view.now,
        "totals": totals(chosen),
        "nodes": nodes,
        "experiments": [experiment_json(item) for item in in_order(chosen)],
        "damaged": dict(view.damaged),
    }


def totals(chosen: list[ExperimentView]) -> dict[str, int]:
    """Return how many experiments are in each state, the most urgent states first."""
    counts = Counter(item.state for item in chosen)
    return {state: counts[state] for state in STATES if counts[state]}


def in_order(chosen: list[ExperimentView]) -> list[ExperimentView]:
    """Return experiments sorted by the urgency of their states, then by number."""
    places = {state: place for place, state in enumerate(STATES)}
    return sorted(chosen, key=lambda item: (places[item.state], item.number))
