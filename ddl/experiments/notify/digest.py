"""Which messages go one by one, which become a digest, and which wait: pure, so that tests state it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ddl.experiments.notify.events import KINDS, Event, hash_of

_MOST_LINES = 200


@dataclass(frozen=True)
class Sending:
    """What to do with the waiting messages to the same recipients."""

    single: bool
    """Whether each goes by itself. Otherwise all of them go in one digest, or none goes yet."""
    wait_until: float = 0.0
    """When they may go."""


def decide(
    waiting: int, sent: Sequence[tuple[float, str]], limit: int, period_s: float, now: float
) -> Sending:
    """Return what to do with `waiting` new messages.

    At most `limit` of them go one by one in a period. More become one digest, and what comes after a digest waits
    until a period after it has passed, and then goes by the same rule.

    Args:
        waiting: Number of messages.
        sent: Time and kind of each mail to these recipients in the last period.
        limit: Most single mails in a period.
        period_s: The period.
        now: The time.
    """
    recent = [(time, kind) for time, kind in sent if now - period_s < time <= now]
    digests = [time for time, kind in recent if kind == "digest"]
    if digests:
        return Sending(False, max(digests) + period_s)
    return Sending(len(recent) + waiting <= limit)


def digest_of(events: Sequence[Event], store_id: str, now: float) -> Event:
    """Return the event that tells several: its id is made from theirs, so that a repeat has the same one."""
    members = hash_of("\n".join(sorted(event.id for event in events)))
    counts = Counter(event.kind for event in events)
    shown = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
    lines = [
        f"{event.experiment or event.details.get('node', '')} {KINDS[event.kind]}"
        + (f": {event.text}" if event.text else "")
        for event in events[:_MOST_LINES]
    ]
    if len(events) > _MOST_LINES:
        lines.append(f"and {len(events) - _MOST_LINES} more")
    return Event(
        id=f"{store_id}/digest/{members}",
        kind="digest",
        time=now,
        text=f"{len(events)} events: {shown}",
        details={"lines": lines, "members": [event.hash for event in events]},
    )
