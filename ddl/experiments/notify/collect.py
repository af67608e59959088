"""From a store's view to the events that exist: those that agents wrote, and those that its states and nodes imply.

`state_events` and `node_events` are pure. An event has the same id whoever finds it, so it is told once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ddl.experiments.notify.events import Event, read_event_lines

PATIENCE_S = 600.0
"""A node that answers again within this time was not worth a message."""

ENDS = ("finished", "failed", "diverged", "refused", "stopped", "lost")
"""States that are events, too."""

_MOST_LOG_BYTES = (
    4 << 20
)  # an agent writes some hundred bytes per event; a longer file is not its own


def collect(view: Any, unreachable: Mapping[str, float] | None = None) -> list[Event]:
    """Return all events of a store, oldest first.

    Reads the agents' events.jsonl and nothing else: the rest is in the view. `unreachable` has the nodes of which it
    was told that they do not answer, and since when.
    """
    by_agents = list(agent_events(view))
    found: dict[str, Event] = {
        event.id: event
        for event in (
            *(event for event in by_agents if event.kind not in ENDS),
            *state_events(view, by_agents),
            *node_events(view, unreachable or {}),
        )
    }
    return sorted(found.values(), key=lambda event: (event.time, event.id))


def agent_events(view: Any) -> Iterator[Event]:
    """Yield what the agents wrote."""
    for experiment in view.experiments:
        for attempt in experiment.attempts:
            text = _text_of(attempt.folder.events)
            yield from read_event_lines(text, experiment.record.name)


def state_events(view: Any, by_agents: Collection[Event] = ()) -> Iterator[Event]:
    """Yield how experiments have ended, one event per experiment and last attempt.

    An agent tells only how its attempt ended, which is the experiment's end if no other attempt follows. So the state
    decides, and an agent's own event of that end gives the time and the details.
    """
    of_agents = {event.id: event for event in by_agents if event.kind in ENDS}
    for experiment in view.experiments:
        if experiment.state not in ENDS:
            continue
        stem = _stem(view.store.id, experiment)
        event_id = f"{stem}/{experiment.state}"
        known = of_agents.get(event_id)
        yield Event(
            id=event_id,
            kind=experiment.state,
            time=known.time if known else float(experiment.since or 0.0),
            experiment=experiment.record.name,
            text=experiment.why or (known.text if known else ""),
            details={**(known.details if known else {}), "node": experiment.node or ""},
        )


def node_events(view: Any, unreachable: Mapping[str, float]) -> Iterator[Event]:
    """Yield the nodes that have not answered for long, and those that answer again after that was told."""
    for name, seen in view.nodes_seen.items():
        time, since = _number(seen.get("time")), _number(seen.get("since_unreachable"))
        stem = f"{view.store.id}/node/{name}"
        if seen.get("reachable"):
            if name in unreachable:
                told = unreachable[name]
                yield _of_node(f"{stem}/back-{told:.0f}", "back", time, name, "")
        elif since and time - since >= PATIENCE_S:
            error = str(seen.get("error") or "")
            yield _of_node(f"{stem}/unknown-{since:.0f}", "unknown", since, name, error)


def _stem(store_id: str, experiment: Any) -> str:
    if not experiment.attempts:
        return f"{store_id}/{experiment.record.number:03d}/a0"
    # The attempt's name ddl-STOREID-NUMBER-aN has the same parts.
    return "/".join(str(experiment.attempts[-1].name).split("-")[1:])


def _of_node(event_id: str, kind: str, time: float, node: str, text: str) -> Event:
    return Event(id=event_id, kind=kind, time=time, text=text, details={"node": node})


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_LOG_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
