"""What the user sees: one line per step with its duration. The output of commands goes to a log."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ddl.child_process import with_parent
from ddl.install.problem import Failure, disk_full

REPORT_EVERY_S = 10.0
_TAIL_LINES = 30

_PERCENT = re.compile(rb"\[ *(\d+)%\]")


_line_is_open = False


def say(text: str) -> None:
    """Print one line and flush, so that it also reaches a file at once."""
    global _line_is_open
    print(f"\n{text}" if _line_is_open else text, flush=True)
    _line_is_open = False


@contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a step and then print its duration, on the same line if nothing was printed in between."""
    global _line_is_open
    start_s = time.monotonic()
    print(f"setup: {title} ...", end="", flush=True)
    _line_is_open = True
    try:
        yield
    except BaseException:
        if _line_is_open:
            print(flush=True)
        _line_is_open = False
        raise
    took = f"{time.monotonic() - start_s:.1f} s"
    if not _line_is_open:
        print(f"setup: {title}:", end="")
    _line_is_open = False
    print(f" {took}", flush=True)


def run_logged(
    what: str,
    command: Sequence[str | Path],
    log: Path,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a command, append its output to `log`, and print its progress every 10 s.

    The command ends with this process, even after `kill -9`. The log is kept after a failure.

    Raises:
        Failure: Its exit status was not 0; the message holds the end of the log.
        Problem: The disk is full.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab", buffering=0) as file:
        file.write(f"$ {' '.join(map(str, command))}\n".encode())
        process = subprocess.Popen(
            [str(part) for part in command],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # An orphaned pip would write into the next attempt's venv.
            preexec_fn=with_parent(signal.SIGKILL),
        )
        disk_is_full = False  # search the output itself: a log on the full disk would be cut off
        with process:
            for chunk in _chunks(process, what):
                disk_is_full |= b"No space left on device" in chunk
                file.write(chunk)
    if process.returncode == 0:
        return
    if disk_is_full:
        raise disk_full(log.parent)
    tail = log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
    lines = "\n".join(f"  | {line}" for line in tail)
    raise Failure(f"{what} failed; the last lines of {log}:\n{lines}")


def _chunks(process: subprocess.Popen[bytes], what: str) -> Iterator[bytes]:
    """Yield the output as it comes, and print the elapsed time and make's last percentage now and then."""
    if process.stdout is None:
        return
    output = process.stdout.fileno()
    start_s = report_s = time.monotonic()
    percent = ""
    while True:
        if time.monotonic() - report_s >= REPORT_EVERY_S:
            report_s = time.monotonic()
            say(f"setup:   {what}: {report_s - start_s:.0f} s{percent}")
        if not select.select([output], [], [], 1.0)[0]:
            continue
        chunk = os.read(output, 1 << 16)
        if not chunk:
            return
        for number in _PERCENT.findall(chunk):
            percent = f", {int(number)}%"
        yield chunk
