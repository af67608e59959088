"""The states of an experiment, in the order in which `status` sorts them, and what each means."""

from __future__ import annotations

STATES = {
    "failed": "its command crashed, or made no progress in three attempts",
    "diverged": "its loss became NaN or infinite",
    "refused": "the preflight, the scheduler or its command (status 2) says that it cannot run as it is",
    "lost": "its node forgot it, and no retry is left",
    "unknown": "its node cannot be reached; the state before is named beside",
    "running": "an attempt trains",
    "stopping": "an attempt was asked to end, and has not ended yet",
    "requeued": "an attempt ended before the training did; the next one is on its way",
    "waiting": "a node or a scheduler has it in its queue",
    "submitting": "a hand-over has begun, and nothing was heard of it yet",
    "queued": "wanted, and not handed over yet",
    "paused": "stopped with a checkpoint; `resume` continues it",
    "planned": "in the store, not submitted",
    "stopped": "ended by the user or by a rule",
    "finished": "its command ended with status 0",
}

ENDED = frozenset({"failed", "diverged", "refused", "lost", "stopped", "finished"})
"""States in which nothing more happens until the user says so."""

BAD = frozenset({"failed", "diverged", "refused", "lost"})
"""States with which `status`, `sync` and `manage` end with status 3."""

ON_A_NODE = frozenset({"submitting", "waiting", "running", "stopping", "requeued", "unknown"})
"""States in which a process or a job may exist somewhere."""
