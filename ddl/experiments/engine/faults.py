"""Places at which tests let the manager die as if by `kill -9`. Without $DDL_FAULT they do nothing."""

from __future__ import annotations

import os
import signal

POINTS = (
    "after attempt folder",
    "after intent",
    "after files",
    "after hand-over",
    "after acknowledgement",
    "after observation",
    "after fetch",
    "after stop",
    "after finish",
)

VARIABLE = "DDL_FAULT"


def point(name: str) -> None:
    """Kill this process if $DDL_FAULT names this point."""
    if name not in POINTS:
        raise ValueError(f"Received: fault point {name}. Expected one of: {', '.join(POINTS)}.")
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)
