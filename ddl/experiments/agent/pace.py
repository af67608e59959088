"""Times of the agents' protocol. They belong together: all agents of a store keep the same ones."""

from __future__ import annotations

import os
import time

HEARTBEAT_S = 10.0
"""Between two heartbeats, and between two looks for a newer claim."""

LEASE_S = 60.0
"""Without a written heartbeat, an agent ends its command after this time."""

SILENCE_S = 90.0
"""A successor elsewhere takes over after this time without a change of the heartbeat, by its own clock."""

LEASE_GRACE_S = 12.0
"""Left for a checkpoint where the lease is lost: with TERM and KILL it must end before `SILENCE_S`."""

SUPERSEDED_GRACE_S = 30.0
"""Left for a checkpoint where a newer attempt waits for this one's end."""

QUICK_GRACE_S = 20.0
"""Left for a checkpoint where a scheduler has sent TERM: it sends KILL soon after (Slurm's KillWait is 30 s)."""

TERM_S = 5.0
"""Between TERM and KILL."""

TICK_S = 1.0
"""Between two looks for `stop.json`."""

RESOURCES_S = 30.0
"""Between two samples of memory, processor and GPUs."""


def now_s() -> float:
    """Return a clock that also counts while the machine sleeps, and that nobody sets."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def paced(seconds: float) -> float:
    """Return a time of this module, shortened by $DDL_AGENT_PACE, which tests set."""
    try:
        return seconds * min(max(float(os.environ.get("DDL_AGENT_PACE", "1")), 0.01), 1.0)
    except ValueError:
        return seconds
