"""The queue of a machine: a file for each attempt that was handed over, and one process that starts them.

NODE_HOME/HOST/jobs/NAME.json      an attempt in the queue: never changed, removed when it has ended
               started/NAME.json   its agent's process, and the GPUs that it got
               slots.json          how many attempts run at once and how many GPUs they may use, as said last
               runner.lock         held by the runner
               runner.log          what it did
"""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ddl.experiments.agent.attempt.claim import IDENTITY_NAME, newest_identity
from ddl.experiments.agent.attempt.launch import outer_environment, record_of
from ddl.experiments.agent.layout import AttemptFolder
from ddl.experiments.agent.node.processes import is_gone, is_same_folder
from ddl.experiments.agent.whole import create_json, read_json, write_json

_OF_THE_CALLER = (
    "PATH",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "CONDA_DEFAULT_ENV",
)
"""What says which programs an attempt gets: those of its caller, not of whoever started the runner. No secrets."""

__all__ = ["IDENTITY_NAME", "NodeHome", "enqueue", "node_home"]


class NodeHome:
    """The files of a machine's queue. A home that several machines share has a folder for each."""

    def __init__(self, path: Path) -> None:
        """Name the files. Touches nothing."""
        self.path = path
        self.jobs = path / "jobs"
        self.started = path / "started"
        self.slots = path / "slots.json"
        self.lock = path / "runner.lock"
        self.log = path / "runner.log"

    def make(self) -> None:
        """Make the folders, for this user alone."""
        for folder in (self.path, self.jobs, self.started):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def job(self, name: str) -> Path:
        """Return the file of an attempt in the queue."""
        return self.jobs / f"{name}.json"

    def started_job(self, name: str) -> Path:
        """Return the file of an attempt that was started."""
        return self.started / f"{name}.json"

    def names(self) -> list[str]:
        """Return the names of the attempts in the queue, started or not."""
        try:
            return sorted(
                path.stem
                for path in self.jobs.iterdir()
                if path.suffix == ".json" and not path.name.startswith(".")
            )
        except OSError:
            return []

    def try_lock(self) -> int | None:
        """Return a descriptor that holds the lock of the runner, None where a runner holds it."""
        descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def is_running(self) -> bool:
        """Return whether a runner is there."""
        if not self.lock.exists():
            return False
        descriptor = self.try_lock()
        if descriptor is None:
            return True
        os.close(descriptor)
        return False


def node_home() -> NodeHome:
    """Return the queue of this machine: in $DDL_NODE_HOME or ~/.ddl/node."""
    given = os.environ.get("DDL_NODE_HOME")
    home = Path(given) if given else Path.home() / ".ddl" / "node"
    return NodeHome(home.absolute() / socket.gethostname())


def agent_words() -> list[str]:
    """Return the command of this agent: this Python, this file."""
    return [sys.executable, str(Path(sys.argv[0]).resolve())]


def enqueue(
    folders: list[Path],
    slots: int | None = None,
    gpus: int | None = None,
    priority: int | None = None,
) -> dict[str, Any]:
    """Put attempts into the queue, once each, and see that a runner is there. Return the state of each by its name."""
    home = node_home()
    home.make()
    if slots is not None:
        limits = {"slots": slots, "gpus": gpus}
        if read_json(home.slots) != limits:
            write_json(home.slots, limits)
    states = {}
    for folder in folders:
        attempt = AttemptFolder(folder.resolve())
        name = str(read_json(attempt.intent).get("name") or "")
        if not name:
            raise ValueError(
                f"Received: {folder}. Expected: the folder of an attempt with an intent.json."
            )
        states[name] = {"state": _enqueue(home, attempt, name, priority)}
    ensure_runner(home)
    return states


def _enqueue(home: NodeHome, attempt: AttemptFolder, name: str, priority: int | None) -> str:
    there = str(read_json(home.job(name)).get("attempt_dir", ""))
    if not is_same_folder(str(attempt.path), there):
        raise ValueError(
            f"Received: {attempt.path}, a copy of {there}, which is in the queue. Expected: one of the two; names of "
            "attempts are unique."
        )
    if attempt.status.exists():
        return "ended"
    if home.started_job(name).exists():
        return "running"
    identity = newest_identity(attempt)
    if identity and not is_gone(identity) and not home.job(name).exists():
        return "claimed"
    intent = read_json(attempt.intent)
    needs = record_of(attempt).get("needs") or {}
    job = {
        "name": name,
        "attempt_dir": str(attempt.path),
        "agent": agent_words(),
        "priority": priority if priority is not None else int(intent.get("priority") or 0),
        "queued": time.time(),
        "environ": {name: os.environ[name] for name in _OF_THE_CALLER if name in os.environ},
        "needs": {key: needs.get(key) for key in ("gpus", "cores", "memory_bytes")},
    }
    if not create_json(home.job(name), job) and priority is not None:
        waiting = read_json(home.job(name))
        if waiting and waiting.get("priority") != priority and home.job(name).exists():
            write_json(home.job(name), {**waiting, "priority": priority})
    return "queued"


def ensure_runner(home: NodeHome) -> bool:
    """Start a runner where attempts are in the queue and none is there. Return whether this started one."""
    if not home.names() or home.is_running():
        return False
    with home.log.open("ab") as log:
        # The first child ends at once, so the runner belongs to nobody and outlives the connection it came by.
        subprocess.run(
            [*agent_words(), "runner", "--detach"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=outer_environment(),
            cwd="/",
            start_new_session=True,
            check=False,
        )
    return True


def state_of_runner(home: NodeHome) -> dict[str, Any]:
    """Return whether a runner is there, how many attempts wait and run, and how many may run at once."""
    names = home.names()
    running = sum(home.started_job(name).exists() for name in names)
    return {
        "alive": home.is_running(),
        "queued": len(names) - running,
        "running": running,
        "slots": int(read_json(home.slots).get("slots") or 1),
    }
