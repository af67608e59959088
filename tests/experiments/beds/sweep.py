"""Ends every process that has a text in its environment: servers, and what they started and lost."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

_GONE_S = 10.0

# Tests killed by a timeout run no clean-up, so a separate process waits for their end: parent, mark, folder.
GUARD = """
import os, shutil, signal, sys, time
parent, mark, folder = int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3]
while os.getppid() == parent:
    time.sleep(0.5)
for _ in range(3):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if int(pid) != os.getpid() and mark in open(f"/proc/{pid}/environ", "rb").read().split(b"\\0"):
                os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass
    time.sleep(0.2)
shutil.rmtree(folder, ignore_errors=True)
"""


def marked(mark: str, also: str = "") -> list[int]:
    """Return the processes, besides this one, with the entry NAME=VALUE in their environment.

    `also` is the beginning of another entry that they must have.
    """
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            entries = (folder / "environ").read_bytes().split(b"\0")
            if mark.encode() in entries and any(each.startswith(also.encode()) for each in entries):
                found.append(int(folder.name))
    return found


def end_all(mark: str) -> None:
    """Kill all processes whose environment has the entry, also those that they start meanwhile."""
    deadline = time.monotonic() + _GONE_S
    while pids := marked(mark):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert time.monotonic() < deadline, f"still there: {pids}"
        time.sleep(0.02)
