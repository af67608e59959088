"""The user's own command for events: a list of words, the event as JSON on standard input, a time limit, no shell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from ddl.experiments.notify.events import Event
from ddl.experiments.notify.wishes import CommandWishes
from ddl.plain_text import escaped

_MOST_TOLD = 300
_MOST_BYTES = 4096


def call(wishes: CommandWishes, event: Event, extra: dict[str, str], folder: Path) -> str:
    """Run the command for an event, in a folder. Return "" if it ended with status 0, else one line about the problem.

    Its output goes to a file rather than a pipe: what it leaves behind in the background would hold a pipe open.
    """
    text = json.dumps({**event.to_json(), **extra}) + "\n"
    name = wishes.command[0]
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                wishes.command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return escaped(f"{name}: {getattr(error, 'strerror', None) or error}")
        try:
            process.communicate(text.encode(), wishes.limit_s)
        except subprocess.TimeoutExpired:
            _end(process)
            return escaped(f"{name}: did not end within {wishes.limit_s:g} s")
        except BaseException:
            _end(process)
            raise
        if process.returncode == 0:
            return ""
        output.seek(max(0, output.seek(0, os.SEEK_END) - _MOST_BYTES))
        last = output.read().decode("utf-8", "replace").strip().splitlines()[-1:] or [""]
    told = f"{name}: status {process.returncode}: {last[0]}"
    return escaped(told.rstrip(": "))[:_MOST_TOLD]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and what it started: they are a process group of their own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    process.wait()
