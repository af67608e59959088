"""Asynchronous runs on Ray, as processes of their own: started, disturbed, and looked at afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from ddl.asynchronous.audit.check import check_log
from tests.launch import REPOSITORY

FLAGS = (
    *("--data", "synthetic-labels", "--image-size", "16", "--model", "cnn"),
    *("--per-rank-batch-size", "4", "--tensorboard", "false", "--parallel", "async"),
)
START_S = 400.0


@dataclass
class RayRun:
    """A run that trains now."""

    process: subprocess.Popen[str]
    folder: Path
    output: Path

    @property
    def text(self) -> str:
        """Return what it has written so far."""
        return self.output.read_text("utf-8")

    def updates(self) -> list[dict[str, Any]]:
        """Return the log's updates so far."""
        path = self.folder / "updates.jsonl"
        lines = path.read_text("utf-8").splitlines(keepends=True) if path.is_file() else []
        values = [json.loads(line) for line in lines if line.endswith("\n")]
        return [value for value in values if "lease" in value]

    def wait_for_updates(self, count: int) -> list[dict[str, Any]]:
        """Wait until the log has so many updates."""
        return self.wait(lambda: found if len(found := self.updates()) >= count else None)

    def wait(self, ask: Callable[[], Any], timeout_s: float = START_S) -> Any:
        """Wait until an answer is true, and return it."""
        until = time.monotonic() + timeout_s
        while not (answer := ask()):
            assert self.process.poll() is None, self.text
            assert time.monotonic() < until, self.text
            time.sleep(0.05)
        return answer

    def workers(self) -> list[int]:
        """Return the process numbers of workers that have had a lease applied and live."""
        pids = [int(update["worker"].rpartition(":")[2]) for update in self.updates()]
        return [pid for pid in dict.fromkeys(pids) if psutil.pid_exists(pid)]

    def server(self) -> int:
        """Return the process number of the server's actor."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return next(child.pid for child in children if "ray::Server" in name_of(child))

    def ends(self, timeout_s: float = 240.0) -> int:
        """Wait for its end, and return its status."""
        return self.process.wait(timeout_s)

    def history(self) -> list[dict[str, Any]]:
        """Return its epochs."""
        lines = (self.folder / "history.jsonl").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines]


def name_of(process: psutil.Process) -> str:
    """Return the words of a process, "" for one that has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@contextmanager
def ray_run(folder: Path, *flags: str, **environment: str) -> Iterator[RayRun]:
    """Start a run, and see that nothing of it stays behind."""
    output = folder.with_suffix(".txt")
    command = [sys.executable, "scripts/train_cnn.py", "--run-dir", str(folder), *FLAGS, *flags]
    with output.open("w") as file:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | environment,
            start_new_session=True,
        )
    try:
        yield RayRun(process, folder, output)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()


def left_of(run: RayRun, timeout_s: float = 15.0) -> list[str]:
    """Return the processes of an ended run that still live after some seconds."""
    until = time.monotonic() + timeout_s
    while True:
        left = [
            name_of(process)
            for process in psutil.process_iter()
            if _is_of(process, run.process.pid)
        ]
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.2)


def _is_of(process: psutil.Process, session: int) -> bool:
    try:
        return os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, psutil.Error):
        return False


def check_every_sample(run: RayRun, epochs: int, per_epoch: int) -> None:
    """See that the log is that of whole epochs, each lease applied once."""
    check_log(run.folder)  # refuses a lease twice, a gap between versions, an age above the bound
    updates = run.updates()
    counts = Counter((update["epoch"], update["lease"]) for update in updates)
    assert set(counts.values()) == {1}
    assert Counter(epoch for epoch, _ in counts) == dict.fromkeys(range(epochs), per_epoch)


def replayed(folder: Path) -> str:
    """Replay a run in one process; return what the replay says, which must be that it is right."""
    result = subprocess.run(
        [sys.executable, "scripts/replay.py", str(folder)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "The run's weights are those of its log." in result.stdout
    return result.stdout


def token_in(text: str) -> str | None:
    """Return what looks like a token in a text."""
    found = re.search(r"\b[0-9a-f]{64}\b", text)
    return found[0] if found else None
