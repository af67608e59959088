"""An attempt of an experiment as its files tell it. Reads only; nothing is asked of a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ddl.experiments.agent.layout import AttemptFolder

_UNSURE_S = 30.0
"""A node's answer may take that long."""


@dataclass(frozen=True, kw_only=True)
class AttemptView:
    """What the files of one attempt say. A file that is missing, or not readable as an object, is {}."""

    folder: AttemptFolder
    number: int
    intent: Mapping[str, Any] = field(default_factory=dict)
    submitted: Mapping[str, Any] = field(default_factory=dict)
    claims: tuple[Mapping[str, Any], ...] = ()
    """The identity of each claim, with its `number`, in order."""
    heartbeat: Mapping[str, Any] = field(default_factory=dict)
    status: Mapping[str, Any] = field(default_factory=dict)
    stop: Mapping[str, Any] = field(default_factory=dict)
    is_submitted: bool = False
    """Whether submitted.json exists: its contents may say little."""

    @property
    def name(self) -> str:
        """The name by which a scheduler knows it, unique for ever; "" where its intent is missing."""
        return str(self.intent.get("name", ""))

    @property
    def node(self) -> str:
        """The node that it was handed to; "" where its intent is missing."""
        return str(self.intent.get("node", ""))

    @property
    def has_ended(self) -> bool:
        """Whether its end is written down. Otherwise a process of it may still live somewhere."""
        return bool(self.status)

    @property
    def outcome(self) -> str:
        """How it ended, "" before."""
        return str(self.status.get("outcome", ""))

    @property
    def created(self) -> float:
        """When it was intended, in seconds since the epoch; 0 if unknown."""
        return number(self.intent.get("created"))

    @property
    def started(self) -> float:
        """When its newest claim was made; 0 before the first."""
        return number(self.claims[-1].get("started")) if self.claims else 0.0

    @property
    def ended(self) -> float:
        """When it ended; 0 before, or if unknown."""
        return number(self.status.get("ended"))

    @property
    def sign_of_life(self) -> float:
        """The newest time that its agent wrote, by the clock of the agent's machine; 0 without any."""
        return max(number(self.heartbeat.get("time")), self.started, self.ended)


def clock_ahead_s(seen: Mapping[str, Any]) -> float:
    """Return by how much a node's clock is ahead of ours, as `sync` saw it; 0 for less than half a minute.

    A node that is two minutes slow would otherwise be silent for ever.
    """
    facts = seen.get("facts")
    there = number(facts.get("time")) if isinstance(facts, Mapping) else 0.0
    here = number(seen.get("time"))
    ahead = there - here if there and here else 0.0
    return ahead if abs(ahead) > _UNSURE_S else 0.0


def number(value: object) -> float:
    """Return a number of a file, 0 for whatever else stands there."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value)
