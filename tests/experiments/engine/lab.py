"""A place for experiments of one test: a spec, a home and a node's home of its own, and nothing left afterwards.

Its command appends "start ATTEMPT TIME" and "end ATTEMPT TIME" to a log: that is what trained, whatever files say.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ddl.experiments import command
from ddl.experiments.store.view import ExperimentView, StoreView, read_view

ROOT = Path(__file__).resolve().parents[3]

_TRAIN = """\
say() { echo "$1 $DDL_ATTEMPT $(date +%s.%N)" >> "$LOG"; }
trap 'say stopped; kill $! 2>/dev/null; exit 75' TERM
say start
if [ "$1" = go ]; then while [ ! -e "$LOG.go" ]; do sleep 0.1; done; else sleep "$1" & wait $!; fi
say end
exit "$2"
"""

GO = "go"
"""Seconds of a training that ends when `Lab.go` is called."""


@dataclass(frozen=True)
class Trained:
    """One start of the command.

    Attributes:
        attempt: The attempt's name.
        start: When it began.
        end: When it ended, None if it was killed.
        how: "end" or "stopped".
    """

    attempt: str
    start: float
    end: float | None
    how: str


class Lab:
    """A folder with a spec and a store."""

    def __init__(self, path: Path) -> None:
        """Make the folder. The environment is set by the fixture."""
        self.path = path
        self.log_path = path / "log"
        self.store = path / "experiments" / "cells"

    def spec(
        self,
        count: int = 1,
        seconds: float | str = 0.1,
        status: int = 0,
        nodes: dict[str, Any] | None = None,
        **more: Any,
    ) -> Path:
        """Write a spec of some experiments that take some seconds and end with a status."""
        (self.path / "train.sh").write_text(_TRAIN)
        value = {
            "name": "cells",
            "command": f"sh train.sh {seconds} {status} {{lr}}",
            "parameters": {"lr": {"grid": [*range(1, count + 1)]}},
            "env": {"LOG": str(self.log_path)},
            "nodes": nodes or {"here": {"slots": 2}},
            "stop": {"signal": "TERM", "grace": "5s"},
            **more,
        }
        path = self.path / "cells.yaml"
        path.write_text(yaml.safe_dump(value))
        return path

    def do(self, *words: object) -> int:
        """Run a verb in this process. Return its status."""
        verb, *rest = [str(word) for word in words]
        return command.main("test", [verb, "--store", str(self.store), *rest])

    def submit(self, **spec: Any) -> int:
        """Submit a spec."""
        return self.do("submit", self.spec(**spec))

    def start(self, *words: object, **env: str) -> subprocess.Popen[bytes]:
        """Start a verb in a process of its own."""
        verb, *rest = [str(word) for word in words]
        argv = [str(ROOT / "scripts/experiments.py"), verb, "--store", str(self.store), *rest]
        with (self.path / "verbs.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *argv], stdout=log, stderr=log, env=os.environ | env, cwd=self.path
            )

    def go(self) -> None:
        """Let trainings end that wait for it."""
        Path(f"{self.log_path}.go").touch()

    def view(self) -> StoreView:
        """Return the store as it is."""
        return read_view(self.store)

    def one(self, number: int = 1) -> ExperimentView:
        """Return an experiment."""
        return next(item for item in self.view().experiments if item.number == number)

    def states(self) -> list[str]:
        """Return the states of all experiments."""
        return [item.state for item in self.view().experiments]

    def sync_until(self, is_true: Callable[[], object], deadline_s: float = 120.0) -> None:
        """Sync until something is true."""
        until = time.monotonic() + deadline_s
        while not is_true():
            assert time.monotonic() < until, self.story()
            time.sleep(0.1)
            self.do("sync")

    def wait(self, is_true: Callable[[], object], deadline_s: float = 120.0) -> None:
        """Wait until something is true, without a sync."""
        until = time.monotonic() + deadline_s
        while not is_true():
            assert time.monotonic() < until, self.story()
            time.sleep(0.05)

    def trained(self, number: int | None = None) -> list[Trained]:
        """Return what trained, by the command's own log."""
        found: dict[str, Trained] = {}
        lines = self.log_path.read_text().splitlines() if self.log_path.exists() else []
        for place, line in enumerate(lines):
            kind, attempt, at = line.split()
            if kind == "start":
                found[f"{attempt} {place}"] = Trained(attempt, float(at), None, "")
                continue
            key = next(key for key, one in reversed(found.items()) if one.attempt == attempt)
            found[key] = Trained(attempt, found[key].start, float(at), kind)
        wanted = f"-{number:03d}-" if number else ""
        return [one for one in found.values() if wanted in one.attempt]

    def processes(self) -> dict[int, str]:
        """Return all processes that belong to this place, agents and runners among them."""
        found = {}
        mark = f"DDL_NODE_HOME={os.environ['DDL_NODE_HOME']}".encode()
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if int(path.name) == os.getpid() or mark not in (path / "environ").read_bytes():
                    continue
                words = (
                    (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
                if words:
                    found[int(path.name)] = words
        return found

    def quiet(self) -> bool:
        """Return whether no process is left but those of a runner that ends soon."""
        return not [words for words in self.processes().values() if " runner" not in words]

    def end_all(self) -> None:
        """Kill what is left."""
        for _ in range(50):
            left = self.processes()
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not left:
                return
            time.sleep(0.05)

    def story(self) -> str:
        """Return what happened, for a failing test."""
        parts = []
        for item in self.view().experiments:
            parts.append(f"{item.name}: {item.state}: {item.why}; wanted {json.dumps(item.wanted)}")
            files = [path for path in sorted(item.folder.attempts.rglob("*")) if path.is_file()]
            parts += [
                f"  {path}: {path.read_text(errors='replace')[:600]}"
                for path in files
                if re.search(r"\.(json|log)$", path.name)
            ]
        parts += [str(words) for words in self.processes().values()]
        logs = [self.log_path, self.path / "verbs.log", *self.path.rglob("runner.log")]
        parts += [
            f"{log}: {log.read_text(errors='replace')[-2000:]}" for log in logs if log.exists()
        ]
        return "\n".join(parts)


def overlaps(trained: list[Trained]) -> list[tuple[Trained, Trained]]:
    """Return pairs of starts that trained at the same time. One that was killed counts until the next began."""
    ordered = sorted(trained, key=lambda one: one.start)
    return [
        (one, two)
        for one, two in itertools.pairwise(ordered)
        if one.end is not None and one.end > two.start
    ]


def lab_in(path: Path) -> Iterator[Lab]:
    """Yield a lab, and leave no process of it behind."""
    lab = Lab(path)
    try:
        yield lab
    finally:
        lab.end_all()
