"""The runner of a machine: starts attempts as slots, cores, memory and GPUs become free, and ends when none is left.

It holds no state but files, so after `kill -9` the next one goes on: agents are in sessions of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

from ddl.experiments.agent import pace
from ddl.experiments.agent.attempt import closing, ending
from ddl.experiments.agent.attempt.claim import newest_identity
from ddl.experiments.agent.attempt.launch import outer_environment
from ddl.experiments.agent.attempt.signals import Signals
from ddl.experiments.agent.attempt.stopping import Stopper
from ddl.experiments.agent.layout import AttemptFolder
from ddl.experiments.agent.node import facts, memory, processes
from ddl.experiments.agent.outcome import Outcome, outcome_of
from ddl.experiments.agent.runner.choice import Free, Waiting, next_start
from ddl.experiments.agent.runner.queue import NodeHome, node_home
from ddl.experiments.agent.whole import read_json, write_json
from ddl.plain_text import tell

_EMPTY_S = 3.0
_LOCK_TRIES = 20
_LOCK_EVERY_S = 0.1
_GPUS_EVERY_S = 60.0
_TOLD: list[str] = []


class Runner:
    """The one process of a machine that starts attempts."""

    def __init__(self, home: NodeHome) -> None:
        """Take over what runs."""
        self._home = home
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._stoppers: dict[str, Stopper] = {}
        self._gpus: list[str] = []
        self._gpus_at_s = 0.0

    def run(self, signals: Signals) -> bool:
        """Start and reap attempts until the queue has been empty for a while. Return whether a signal ended it."""
        empty_s = pace.now_s()
        while pace.now_s() - empty_s < pace.paced(_EMPTY_S):
            names = self._home.names()
            for name in names:
                _telling(self._see, name)
            _telling(self._start_due)
            if names:
                empty_s = pace.now_s()
            if (
                "preempted" in signals.take()
            ):  # the machine shuts down; agents hear of it themselves
                return True
            signals.wait(pace.paced(pace.TICK_S))
        return False

    def _see(self, name: str) -> None:
        """Reap an attempt whose agent has ended, and take over one that another runner has started."""
        job = _read(self._home.job(name))
        started = read_json(self._home.started_job(name))
        attempt = AttemptFolder(Path(str(job.get("attempt_dir", "/0"))))
        child = self._children.get(name)
        if child is not None and child.poll() is not None:
            del self._children[name]
        if not attempt.intent.exists():  # the user removed it
            self._forget(name)
        elif name in self._children or (started and not processes.is_gone(started)):
            return
        elif attempt.status.exists():
            self._forget(name)
        elif self._adopt(name, attempt, started):
            return
        elif started:
            self._end_for_agent(name, attempt, started)

    def _adopt(self, name: str, attempt: AttemptFolder, started: dict[str, Any]) -> bool:
        """Note the agent that has claimed an attempt, whoever started it. Return whether it lives."""
        identity = newest_identity(attempt)
        if not identity or processes.is_gone(identity):
            return False
        if started.get("pid") != identity["pid"]:
            write_json(self._home.started_job(name), {"gpus": started.get("gpus", []), **identity})
        return True

    def _end_for_agent(self, name: str, attempt: AttemptFolder, started: dict[str, Any]) -> None:
        """Write the status of an attempt whose agent was killed, once nothing of it is left."""
        if not attempt.claim_numbers():  # its agent ended before it began
            why = " ".join(ending.tail(attempt.agent_log, 1)) or "its agent could not start"
            closing.close(attempt, Outcome("refused", why), "runner", None)
            self._forget(name)
            return
        stopper = self._stoppers.get(name)
        if stopper is None:
            stopper = self._stoppers[name] = Stopper(
                processes.Owner(name, str(attempt.path)), 0, 0, 0
            )
            stopper.begin(
                ending.GUARDIAN_S
            )  # its guardian ends the command, with a checkpoint if possible
        if not stopper.step():
            return
        rebooted = started.get("boot_id") != processes.boot_id()
        stop = read_json(attempt.stop).get("how")
        outcome = outcome_of(None, stop or ("node lost" if rebooted else None))
        claim = max(attempt.claim_numbers(), default=None)
        closing.close(attempt, outcome, "runner", claim, tail=ending.tail_of(attempt))
        self._forget(name)

    def _forget(self, name: str) -> None:
        self._stoppers.pop(name, None)
        for path in (self._home.started_job(name), self._home.job(name)):
            if path.exists():
                path.unlink()

    def _start_due(self) -> None:
        waiting: list[Waiting] = []
        running: list[Waiting] = []
        for name in self._home.names():
            started = read_json(self._home.started_job(name))
            job = read_json(self._home.job(name))
            needs = {**(job.get("needs") or {}), "gpus_given": started.get("gpus", [])}
            is_running = bool(started) or name in self._children
            (running if is_running else waiting).append(Waiting.of(name, job, needs))
        if not waiting:
            return
        chosen = next_start(waiting, running, self._free())
        if chosen is not None:
            self._start(*chosen)

    def _free(self) -> Free:
        limits = read_json(self._home.slots)
        if pace.now_s() - self._gpus_at_s > _GPUS_EVERY_S or not self._gpus_at_s:
            self._gpus, self._gpus_at_s = facts.visible_gpus(), pace.now_s()
        gpus = self._gpus
        if limits.get("gpus") is not None:  # as nodes.yaml says, also where nothing shows them
            numbers = gpus or [str(number) for number in range(limits["gpus"])]
            gpus = numbers[: limits["gpus"]]
        slots = int(limits.get("slots") or 1)
        return Free(slots, facts.cores(), memory.available_bytes(), tuple(gpus))

    def _start(self, name: str, gpus: tuple[str, ...], restricts: bool) -> None:
        job = read_json(self._home.job(name))
        if not job:
            return
        environ = {**outer_environment(), **(job.get("environ") or {})}
        if restricts:
            environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        attempt_dir = Path(job["attempt_dir"])
        with AttemptFolder(attempt_dir).agent_log.open("ab") as log:
            child = subprocess.Popen(
                [*job["agent"], "run", str(attempt_dir)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environ,
                cwd="/",
                start_new_session=True,
            )
        process = processes.find(child.pid)
        identity = {**processes.own_identity(), "pid": child.pid}
        identity["start_ticks"] = process.start_ticks if process else 0
        self._children[name] = child
        write_json(
            self._home.started_job(name), {**identity, "gpus": list(gpus), "time": time.time()}
        )


def main(detach: bool) -> int:
    """Be the runner of this machine, unless there is one. Return the exit status."""
    home = node_home()
    home.make()
    if detach and os.fork():
        return 0
    if detach:
        os.setsid()
    signals = Signals()
    while True:
        descriptor = _lock(home)
        if descriptor is None:
            return 0
        is_told = Runner(home).run(signals)
        os.close(descriptor)
        if (
            is_told or not home.names()
        ):  # what comes from now on finds no lock, and starts another runner
            return 0


def _read(path: Path) -> dict[str, Any]:
    """Return a file of the queue, {} where it is damaged.

    Raises:
        OSError: it cannot be read at this moment. That is no reason to forget an attempt.
    """
    try:
        value = json.loads(path.read_bytes().decode("utf-8"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _telling(do: Callable[..., None], *words: str) -> None:
    """Do something; tell where the disk does not let us, and try again in the next round."""
    try:
        do(*words)
    except OSError as error:
        line = f"{' '.join(words)}: {error}"
        if line not in _TOLD[-1:]:  # not every second
            tell(f"{time.strftime('%F %T')} {line}")
            _TOLD[:] = [line]


def _lock(home: NodeHome) -> int | None:
    """Return the lock. Somebody who only looks whether there is a runner holds it for a moment."""
    for _ in range(_LOCK_TRIES):
        descriptor = home.try_lock()
        if descriptor is not None:
            return descriptor
        time.sleep(_LOCK_EVERY_S)
    return None
