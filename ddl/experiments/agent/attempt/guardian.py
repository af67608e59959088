"""A process that ends the command if its agent is killed: a command without an agent has no lease.

It is a copy of the agent that sleeps until the agent's end of a pipe closes, so it costs almost no memory.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from ddl.experiments.agent.attempt.stopping import Stopper
from ddl.experiments.agent.node.processes import Owner
from ddl.experiments.agent.pace import paced

_GRACE_S = 30.0  # with TERM and KILL, the command is gone before a successor elsewhere takes over
_FAREWELL = b"."


class Guardian:
    """The agent's end of the pipe."""

    def __init__(self, owner: Owner, main: int, start_ticks: int, number: int) -> None:
        """Start the guardian of a command that has just been started."""
        reader, self._writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _guard(reader, Stopper(owner, main, start_ticks, number))
        os.close(reader)

    def dismiss(self) -> None:
        """End the guardian: the command has ended, and the agent has seen to it."""
        with contextlib.suppress(OSError):
            os.write(self._writer, _FAREWELL)
        os.close(self._writer)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def _guard(reader: int, stopper: Stopper) -> None:
    """Wait for the agent's end. Never returns."""
    try:
        _detach(reader)
        if os.read(reader, 1) != _FAREWELL:
            stopper.begin(paced(_GRACE_S))
            while not stopper.step():
                time.sleep(0.2)
    finally:
        os._exit(0)


def _detach(kept: int) -> None:
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for name in list(Path("/proc/self/fd").iterdir()):  # above all the agent's own end of the pipe
        if int(name.name) != kept:
            with contextlib.suppress(OSError):
                os.close(int(name.name))
