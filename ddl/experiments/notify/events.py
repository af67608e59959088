"""What users are told about: events, each with an id that is the same wherever and however often it is found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS = {
    "started": "has started",
    "finished": "has finished",
    "failed": "has failed",
    "diverged": "has diverged",
    "refused": "was refused",
    "stopped": "was stopped",
    "lost": "is lost",
    "rule": "met a watch rule",
    "unknown": "cannot be reached",
    "back": "can be reached again",
    "digest": "several events",
}
"""Kind -> what has happened, in words that follow a name."""

_HASH_DIGITS = 32


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that has happened, once.

    Attributes:
        id: "STOREID/NUMBER/aN/KIND", with "/RULE-n" for a rule and "STOREID/node/NAME/KIND-TIME" for a node.
        kind: One of `KINDS`.
        time: When it happened, seconds since the epoch.
        experiment: The experiment's name, "" for a node's event and for a digest.
        text: What is known about it, in one line.
        details: Further JSON values.
    """

    id: str
    kind: str
    time: float
    experiment: str = ""
    text: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "id": self.id,
            "kind": self.kind,
            "time": self.time,
            "experiment": self.experiment,
            "text": self.text,
            "details": dict(self.details),
        }

    @property
    def hash(self) -> str:
        """The id as a file name and as a part of the Message-ID."""
        return hash_of(self.id)


def hash_of(event_id: str) -> str:
    """Return an event's id as hexadecimal digits."""
    return hashlib.sha256(event_id.encode("utf-8", "backslashreplace")).hexdigest()[:_HASH_DIGITS]


def read_event(value: Any, experiment: str = "") -> Event | None:
    """Return the event in a JSON value; None where it is none, since an agent may have died while it wrote."""
    if not isinstance(value, Mapping) or not isinstance(value.get("id"), str) or not value["id"]:
        return None
    time, kind, details = value.get("time"), value.get("kind"), value.get("details")
    if kind not in KINDS or isinstance(time, bool) or not isinstance(time, int | float):
        return None
    return Event(
        id=value["id"],
        kind=kind,
        time=float(time),
        experiment=str(value.get("experiment") or experiment),
        text=str(value.get("text") or ""),
        details=details if isinstance(details, Mapping) else {},
    )


def read_event_lines(text: str, experiment: str) -> list[Event]:
    """Return the events in JSON lines. Torn and strange lines are passed over."""
    events = []
    for line in text.splitlines():
        try:
            event = read_event(json.loads(line), experiment)
        except (ValueError, RecursionError):
            continue
        if event is not None:
            events.append(event)
    return events
