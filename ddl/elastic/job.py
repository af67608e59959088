"""One start of the ranks: the launcher's process, its output, and every process that it leaves on this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from typing import IO, Protocol

import psutil

from ddl.child_process import with_parent
from ddl.elastic.blame import Reader
from ddl.elastic.launch import MARK, launch_environment
from ddl.elastic.state import Blame, Ranks

_TERM_S = 5.0  # between SIGTERM to the launcher and the kill of all that is left
_SWEEP_S = 10.0
_DRAIN_S = 5.0
_RANK_VARIABLES = ("OMPI_COMM_WORLD_RANK", "HOROVOD_RANK", "PMI_RANK")


class Job(Protocol):
    """What the supervisor needs of a running job."""

    @property
    def blame(self) -> Blame:
        """Whom a failure is put down to, so far."""
        ...

    @property
    def heard_s(self) -> float:
        """When it printed something last, on the monotonic clock; its start if never."""
        ...

    def poll(self) -> int | None:
        """Return its exit status once it and all its processes here have ended; None before."""
        ...

    def ask_stop(self) -> bool:
        """Ask it to write a checkpoint and stop. Return whether it could be asked."""
        ...

    def kill(self) -> None:
        """End it at once, without waiting for that."""
        ...


class LaunchedJob:
    """A job of real processes, in a session of its own: Ctrl-C on a terminal does not reach it."""

    def __init__(self, words: Sequence[str], ranks: Ranks, passes_signals: bool) -> None:
        """Start it.

        Args:
            words: the launcher's command.
            ranks: host -> ranks.
            passes_signals: whether the launcher passes SIGUSR1 on to the ranks, as mpirun does.

        Raises:
            OSError: the launcher cannot be started.
        """
        self._mark, self._passes = uuid.uuid4().hex, passes_signals
        self._reader = Reader(ranks)
        self._heard_s = time.monotonic()
        self._killed_s: float | None = None
        self._process = subprocess.Popen(
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=launch_environment(self._mark),
            start_new_session=True,
            # If this process is killed, the ranks write a checkpoint and stop.
            preexec_fn=with_parent(signal.SIGUSR1 if passes_signals else signal.SIGTERM),
        )
        self._threads = [
            threading.Thread(target=self._forward, args=streams, daemon=True)
            for streams in (
                (self._process.stdout, sys.stdout),
                (self._process.stderr, sys.stderr),
            )
        ]
        for thread in self._threads:
            thread.start()

    @property
    def blame(self) -> Blame:
        """Whom a failure is put down to, so far."""
        return self._reader.blame

    @property
    def heard_s(self) -> float:
        """When it printed something last, on the monotonic clock; its start if never."""
        return self._heard_s

    def poll(self) -> int | None:
        """Return its exit status once it and all its processes here have ended; None before."""
        status = self._process.poll()
        if status is None:
            if self._killed_s is not None and time.monotonic() - self._killed_s > _TERM_S:
                self._sweep()
            return None
        self._sweep()
        for thread in self._threads:
            thread.join(_DRAIN_S)
        return status

    def ask_stop(self) -> bool:
        """Ask it to write a checkpoint and stop. Return whether it could be asked: one rank is enough."""
        if self._passes:
            self._process.send_signal(signal.SIGUSR1)
            return True
        for member in self._members():
            with contextlib.suppress(psutil.Error):
                if any(name in member.environ() for name in _RANK_VARIABLES):
                    member.send_signal(signal.SIGUSR1)
                    return True
        return False

    def kill(self) -> None:
        """End it at once, without waiting for that."""
        if self._killed_s is None:
            self._killed_s = time.monotonic()
            self._process.terminate()

    def _forward(self, source: IO[bytes], to: IO[str]) -> None:
        """Copy the job's output to ours, and read in it who failed."""
        with source:
            for line in source:
                self._heard_s = time.monotonic()
                text = line.decode("utf-8", "backslashreplace")
                self._reader.read(text)
                with contextlib.suppress(
                    OSError, ValueError
                ):  # our reader has gone; the job goes on
                    to.write(text)
                    to.flush()

    def _members(self) -> list[psutil.Process]:
        """Return its processes on this machine, whatever session they have moved to."""
        members = []
        for candidate in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if candidate.pid != os.getpid() and candidate.environ().get(MARK) == self._mark:
                    members.append(candidate)
        return members

    def _sweep(self) -> None:
        """Kill what is left on this machine: a rank of the old start would keep the run directory locked."""
        deadline = time.monotonic() + _SWEEP_S
        while (members := self._members()) and time.monotonic() < deadline:
            for member in members:
                with contextlib.suppress(psutil.Error):
                    member.kill()
            time.sleep(0.02)  # psutil's own wait would take the launcher's status from `Popen`
