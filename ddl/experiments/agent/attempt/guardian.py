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
    """The agent's end of the pipe. The guardian is there before its command, so no moment is without one."""

    def __init__(self, owner: Owner, number: int) -> None:
        """Start the guardian of a command to come. `number` is the signal at which it writes a checkpoint."""
        reader, self._writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _guard(reader, owner, number)
        os.close(reader)

    def watch(self, main: int, start_ticks: int) -> None:
        """Tell it the command's process."""
        with contextlib.suppress(OSError):  # it was killed: the training continues without
            os.write(self._writer, f"{main} {start_ticks} ".encode())

    def dismiss(self) -> None:
        """End the guardian: the command has ended, and the agent has seen to it."""
        with contextlib.suppress(OSError):
            os.write(self._writer, _FAREWELL)
        os.close(self._writer)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def _guard(reader: int, owner: Owner, number: int) -> None:
    """Wait for the agent's end. Never returns."""
    try:
        _detach(reader)
        told = b""
        while True:
            more = os.read(reader, 100)
            told += more
            if told.endswith(_FAREWELL):
                return
            if not more:
                break
        main, ticks = (int(word) for word in ([*told.split(), b"0", b"0"])[:2])
        stopper = Stopper(owner, main, ticks, number)
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
