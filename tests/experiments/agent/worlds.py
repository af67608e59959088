"""A store with attempts, a machine's queue, and the packed agent; whatever is started in it ends with the test."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ddl.experiments.agent.layout import AttemptFolder, ExperimentFolder
from ddl.experiments.agent.node import processes

PACE = 0.05
"""A heartbeat takes 0.5 s, a lease 3 s, silence 4.5 s."""

_VERSIONS = Path.home() / ".pyenv" / "versions"


def pythons() -> list[str]:
    """Return the oldest and the newest Python that the agent supports, as far as they are here."""
    found = [sorted(_VERSIONS.glob(f"{version}.*/bin/python")) for version in ("3.8", "3.13")]
    return [str(paths[-1]) for paths in found if paths] or [sys.executable]


def wait_for(what: Callable[[], Any], within_s: float = 20.0) -> Any:
    """Return what `what` gives, once that is true."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        found = what()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"nothing after {within_s} s: {what}")


class World:
    """A store in a folder, and a machine."""

    def __init__(self, folder: Path, agent: Path, python: str, pace: float = PACE) -> None:
        self.folder, self.agent, self.python = folder, agent, python
        self.started: list[subprocess.Popen[str]] = []
        self.store_id = secrets.token_hex(4)  # tests run beside others on the same machine
        self.store = folder / "store"
        self.store.mkdir()
        (self.store / "store.json").write_text(
            json.dumps({"format": 1, "id": self.store_id, "name": "s"})
        )
        self.node_home = folder / "node"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
        self.environ = {**kept, "DDL_NODE_HOME": str(self.node_home), "DDL_AGENT_PACE": str(pace)}

    def experiment(
        self, number: int, *argv: str, record: Mapping[str, Any] | None = None, **run: Any
    ) -> ExperimentFolder:
        """Make an experiment whose command is `argv`."""
        folder = self.store / f"{number:03d}-x"
        folder.mkdir()
        parts = {"folder": str(self.folder), "stop_signal": "TERM", "stop_grace_s": 5}
        value = {"format": 1, "number": number, "name": folder.name, "parameters": {"lr": 0.1}}
        value["run"] = {"argv": list(argv), "shell": False, **parts, **run}
        (folder / "experiment.json").write_text(json.dumps({**value, **(record or {})}))
        return ExperimentFolder(folder)

    def name(self, number: int, attempt: int = 1) -> str:
        """Return the name of an attempt."""
        return f"ddl-{self.store_id}-{number:03d}-a{attempt}"

    def attempt(
        self, experiment: ExperimentFolder, number: int = 1, **intent: Any
    ) -> AttemptFolder:
        """Make the intent of an attempt."""
        attempt = experiment.attempt(number)
        attempt.path.mkdir(parents=True)
        name = self.name(int(experiment.path.name[:3]), number)
        value = {"format": 1, "name": name, "number": number, "by": "manager", "chain": "manager"}
        attempt.intent.write_text(json.dumps({**value, **intent}))
        return attempt

    def simple(
        self, number: int, *argv: str, intent: Mapping[str, Any] | None = None, **parts: Any
    ) -> AttemptFolder:
        """Make an experiment with its first attempt."""
        return self.attempt(self.experiment(number, *argv, **parts), **(intent or {}))

    def shell(self, number: int, line: str, **parts: Any) -> AttemptFolder:
        """Make an experiment whose command is a line of shell, with its first attempt."""
        return self.simple(number, line, shell=True, **parts)

    def start(self, attempt: AttemptFolder, **environ: str) -> subprocess.Popen[str]:
        """Start an agent that runs an attempt in the foreground."""
        return self.popen("run", attempt.path, **environ)

    def popen(self, *words: object, **environ: str) -> subprocess.Popen[str]:
        """Start the agent with these words."""
        process = subprocess.Popen(
            [self.python, str(self.agent), *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={**self.environ, **environ},
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def call(self, *words: object, status: int = 0, **environ: str) -> str:
        """Run the agent with these words; return its output, or its errors where it fails as expected."""
        process = self.popen(*words, **environ)
        out, err = process.communicate(timeout=60)
        assert process.returncode == status, err
        return out if status == 0 else err

    def enqueue(self, *attempts: AttemptFolder, slots: int = 1, gpus: int | None = None) -> Any:
        """Put attempts into the queue of this machine."""
        limits = ["--slots", slots, *([] if gpus is None else ["--gpus", gpus])]
        return json.loads(self.call("enqueue", *(one.path for one in attempts), *limits))

    def look(self, attempt: AttemptFolder) -> Any:
        """Return what the agent knows of an attempt."""
        return next(iter(json.loads(self.call("look", attempt.path)).values()))

    def status(self, attempt: AttemptFolder, within_s: float = 20.0) -> dict[str, Any]:
        """Return how an attempt has ended, once it has."""
        wait_for(attempt.status.exists, within_s)
        return json.loads(attempt.status.read_text())

    def written(self, name: str, within_s: float = 20.0) -> str:
        """Return the contents of a file that a command writes, once it has."""
        path = self.folder / name
        wait_for(lambda: path.exists() and path.read_text(), within_s)
        return path.read_text()

    def processes(self) -> list[processes.Process]:
        """Return all processes that belong to this world."""
        home = str(self.node_home)
        found = processes.living().values()
        return [one for one in found if processes.variable_of(one.pid, "DDL_NODE_HOME") == home]

    def of(self, attempt: AttemptFolder) -> list[processes.Process]:
        """Return the processes of an attempt's command."""
        name = json.loads(attempt.intent.read_text())["name"]
        return [
            one for one in self.processes() if processes.variable_of(one.pid, "DDL_ATTEMPT") == name
        ]

    def close(self) -> None:
        """End all that was started."""
        for _ in range(100):
            left = self.processes()
            for process in left:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            if not left:
                break
            time.sleep(0.02)
        for process in self.started:
            process.communicate(timeout=10)


def lines_of(path: Path) -> list[Any]:
    """Return the lines of a JSON lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def popen_all(world: World, attempts: Sequence[AttemptFolder]) -> list[subprocess.Popen[str]]:
    """Start an agent for each."""
    return [world.start(attempt) for attempt in attempts]
