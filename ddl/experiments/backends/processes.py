"""Foreign programs with a time limit: commands, and rsync. They end with their limit, and leave nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ddl.experiments.problem import Unreachable
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


def run_rsync(
    shell: Sequence[str],
    source: str,
    target: str,
    rules: Sequence[str],
    timeout_s: float,
    name: str,
) -> None:
    """Run rsync: whole files by rename, times kept, no owners. `shell` are its words for the way to the node."""
    program = shutil.which("rsync")
    if program is None:
        raise ValueError(
            "Received: no rsync on this machine. Expected: rsync, to copy files to and from nodes; install it, or "
            "set `shared: true` for nodes that see the store."
        )
    flags = ["-rlpt", "--delay-updates", "-s"]
    argv = [program, *flags, *shell, *rules, "--", source, target]
    done = run_limited(argv, "", timeout_s)
    if done is None:
        raise Unreachable(f"{name}: copying {source} did not end within {timeout_s:g} s.")
    if done.returncode in (0, 24):  # 24: files vanished meanwhile, as a log that was rotated
        return
    said = brief(done.stderr)
    if done.returncode in (3, 11, 22, 23):
        raise OSError(
            f"{name}: rsync could not copy {escaped(source)} to {escaped(target)}: {said}"
        )
    if "rsync: command not found" in done.stderr or "rsync: not found" in done.stderr:
        raise ValueError(
            f"Received: {name} has no rsync. Expected: rsync there, or `shared: true`."
        )
    raise Unreachable(f"{name}: rsync ended with status {done.returncode}: {said}")


def brief(said: str) -> str:
    """Return the last words of a program's complaint, in one line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return escaped(" / ".join(lines[-3:]))[-_SHOWN:] or "it said nothing"


def slash(path: Path) -> str:
    """Return the ending with which rsync takes what a folder holds, not the folder."""
    return "/" if path.is_dir() else ""


def _text_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "surrogateescape")
