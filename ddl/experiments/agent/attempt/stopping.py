"""Ending a command: a signal to write a checkpoint, then TERM, then KILL to every process of the attempt.

mpirun          USR1 to it: it passes USR1 on at once, but kills its ranks 2 s after TERM
horovodrun      nothing to the launcher; the signal to one rank, since all ranks agree to stop
a shell         the signal to it, and to what it runs, unless it has a trap for the signal
anything else   the signal of its spec
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Callable

from ddl.experiments.agent.node import processes
from ddl.experiments.agent.node.processes import Owner, Process
from ddl.experiments.agent.pace import TERM_S, now_s, paced

SHELLS = ("sh", "bash", "dash", "zsh", "ksh", "ash")
_RANKS = ("HOROVOD_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK")
_MPIRUN = ("mpirun", "mpiexec", "orterun", "prterun", "mpiexec.hydra")


def kind_of(process: Process) -> str:
    """Return how a process is asked to stop: "mpirun", "horovodrun", "shell" or "plain"."""
    words = processes.words_of(process.pid)
    names = [Path(word).name for word in words[:3]]
    if process.name in SHELLS:
        return "shell"
    if "horovodrun" in names[:2] or "horovod.runner.launch" in names:
        return "horovodrun"
    return "mpirun" if process.name in _MPIRUN or (names[:1] and names[0] in _MPIRUN) else "plain"


def targets(main: Process, among: dict[int, Process], number: int) -> list[tuple[Process, int]]:
    """Return which processes get which signals, so that the command writes a checkpoint and ends."""
    kind = kind_of(main)
    if kind == "mpirun":
        return [(main, signal.SIGUSR1)]
    if kind == "horovodrun":
        inner = processes.tree_of(main.pid, among)[1:]
        rank = _first_rank(inner)
        return [(rank, number)] if rank else [(process, signal.SIGTERM) for process in inner]
    if kind == "plain" or processes.catches(main.pid, number):
        return [(main, number)]
    children = [process for process in among.values() if process.parent == main.pid]
    inner_targets = [pair for child in children for pair in targets(child, among, number)]
    return [(main, number), *inner_targets]


def _first_rank(inner: list[Process]) -> Process | None:
    """Return the process of rank 0, not the shell that starts it."""
    for process in inner:
        ranks = [processes.variable_of(process.pid, name) for name in _RANKS]
        if "0" in ranks and process.name not in (*SHELLS, "mpirun", "orterun"):
            return process
    return None


class Stopper:
    """Ends the processes of an attempt step by step. `step` is called again and again, and never waits."""

    def __init__(
        self,
        owner: Owner,
        main: int,
        start_ticks: int,
        number: int,
        clock: Callable[[], float] = now_s,
    ) -> None:
        """Note whom to end. `number` is the signal at which the command writes a checkpoint."""
        self._owner = owner
        self._main = main
        self._start_ticks = start_ticks
        self._number = number
        self._clock = clock
        self._deadline_s: float | None = None
        self._kill_s = 0.0
        self._said_term = False

    @property
    def is_stopping(self) -> bool:
        """Return whether the end has begun."""
        return self._deadline_s is not None

    def begin(self, grace_s: float) -> None:
        """Ask the command to end within a time. Asked again, the shorter time counts; 0 sends TERM at once."""
        deadline_s = self._clock() + grace_s
        if self._deadline_s is not None:
            self._deadline_s = min(self._deadline_s, deadline_s)
            return
        self._deadline_s = deadline_s
        if grace_s > 0:
            self._ask()

    def step(self) -> bool:
        """Send what is due. Return whether no process of the attempt is left."""
        if self._deadline_s is None:
            return not self._members()
        if self._clock() < self._deadline_s:
            return not self._members()
        left = self._members()
        if not self._said_term:
            self._said_term, self._kill_s = True, self._clock() + paced(TERM_S)
            self._send(left, signal.SIGTERM)
        elif self._clock() >= self._kill_s:
            self._send(left, signal.SIGKILL)
        return not left

    def _ask(self) -> None:
        among = processes.living()
        main = among.get(self._main)
        if main is None or main.start_ticks != self._start_ticks:
            return
        for process, number in targets(main, among, self._number):
            processes.send(process, number)

    def _members(self) -> list[Process]:
        # As long as the command's process is there, if only as a zombie, its number is its session's alone.
        is_ours = processes.exists(self._main, self._start_ticks)
        return processes.of_attempt(self._owner, session=self._main if is_ours else 0)

    def _send(self, members: list[Process], number: int) -> None:
        for process in members:
            in_session = process.session == self._main
            processes.send(process, number, None if in_session else self._owner)
