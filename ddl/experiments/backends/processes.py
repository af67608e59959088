"""Foreign programs with a time limit: commands, and rsync. They end with their limit, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from ddl.plain_text import escaped

DEFAULT_TIMEOUT_S = 30.0
FILES_TIMEOUT_S = 3600.0

_SHOWN = 300  # characters of a foreign program's complaint


@dataclass(frozen=True)
class Completed:
    """A command that ended.

    Attributes:
        returncode: Its exit status, negative for a signal.
        stdout: What it wrote, as text.
        stderr: Its complaints.
    """

    returncode: int
    stdout: str
    stderr: str


def run_limited(
    argv: Sequence[str], stdin: str | bytes, timeout_s: float, cwd: str | None = None
) -> Completed | None:
    """Run a command in a session of its own. Return None where the limit passed; the command is ended then.

    Its output goes to files: a process that it leaves behind (the master of an ssh connection) would hold a pipe
    open, and reading would then never end.
    """
    data = stdin.encode("utf-8", "surrogateescape") if isinstance(stdin, str) else stdin
    with (
        tempfile.TemporaryFile() as read,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        read.write(data)
        read.seek(0)
        process = subprocess.Popen(
            list(argv), stdin=read, stdout=out, stderr=err, cwd=cwd, start_new_session=True
        )
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.returncode is None:  # the limit, or Ctrl-C
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return Completed(process.returncode, _text_of(out), _text_of(err))


def brief(said: str) -> str:
    """Return the last words of a program's complaint, in one line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return escaped(" / ".join(lines[-3:]))[-_SHOWN:] or "it said nothing"


def _text_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "surrogateescape")
