"""Programs of the user that rules start: `-> command NAME`. They get what happened as JSON on standard input."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any, Mapping

from ddl.experiments.agent.pace import now_s

LIMIT_S = 30.0
_MOST_AT_ONCE = 4
_MOST_BYTES = 1 << 15
_MOST_CHARACTERS = 2000


class RuleCommands:
    """Starts programs and never waits for them: training and heartbeat go on beside."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        """Look for programs in `folder`, then in PATH."""
        self._folder, self._environ = folder, dict(environ)
        self._running: list[tuple[str, subprocess.Popen[bytes], float]] = []
        self._problems: list[str] = []

    def start(self, name: str, event: Mapping[str, Any]) -> None:
        """Start a program by its name."""
        own = self._folder / name
        program = str(own) if own.is_file() else shutil.which(name, path=self._environ.get("PATH"))
        if program is None:
            self._problems.append(f"Received: command {name}. Expected: a program in PATH.")
            return
        if len(self._running) >= _MOST_AT_ONCE:
            self._problems.append(f"command {name} was left out: {_MOST_AT_ONCE} still run")
            return
        try:
            process = subprocess.Popen(
                [program],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=str(self._folder),
                env=self._environ,
                start_new_session=True,
            )
        except OSError as error:
            self._problems.append(f"command {name}: {error.strerror}")
            return
        _tell(process, event)
        self._running.append((name, process, now_s() + LIMIT_S))

    def look(self) -> list[str]:
        """Return what went wrong since the last call. A program that takes too long is ended."""
        left = []
        for name, process, until_s in self._running:
            if process.poll() is None and now_s() < until_s:
                left.append((name, process, until_s))
            elif process.returncode is None:
                _end(process)
                self._problems.append(f"command {name}: did not end within {LIMIT_S:g} s")
            elif process.returncode != 0:
                self._problems.append(f"command {name}: status {process.returncode}")
        self._running = left
        problems, self._problems = self._problems, []
        return problems

    def close(self) -> None:
        """End what still runs."""
        for _, process, _ in self._running:
            _end(process)
        self._running = []


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and what it has started: they are a process group of their own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tell(process: subprocess.Popen[bytes], event: Mapping[str, Any]) -> None:
    """Write an event to a program. A pipe takes 64 KiB at once, so this never waits."""
    text = json.dumps({key: _cut(value) for key, value in event.items()}) + "\n"
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    with contextlib.suppress(OSError):
        process.stdin.write(text.encode()[:_MOST_BYTES])
    with contextlib.suppress(OSError):
        process.stdin.close()


def _cut(value: Any) -> Any:
    return value[:_MOST_CHARACTERS] if isinstance(value, str) else value
