"""The machines to train on: lines of "host:slots" that a command prints, asked for again and again.

The command runs beside the job and is never waited for. Where it fails, is late or prints something else, the last
list stays, and one line says why.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import IO

from ddl.elastic.settings import ElasticSettings

Hosts = Mapping[str, int]
"""Host -> slots, in the order in which ranks are placed."""

HERE = "localhost"
MOST_BYTES = 1 << 20
_LINE = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*)(?::(\d{1,5}))?")


def parse_hosts(text: str, slots_per_host: int = 0) -> dict[str, int]:
    """Return the hosts of the lines that a command has printed. Blank lines and those from "#" on count for nothing.

    Raises:
        ValueError: names the first line that is no host.
    """
    hosts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].strip()
        if not words:
            continue
        match = _LINE.fullmatch(words)
        if match is None:
            raise ValueError(
                f"Received: {words[:80]!r} in line {number}. Expected: HOST or HOST:SLOTS."
            )
        host, slots = match[1], match[2]
        if host in hosts:
            raise ValueError(
                f"Received: {host} a second time, in line {number}. Expected: one line a host."
            )
        hosts[host] = (slots_per_host or 1) if slots is None else int(slots)
    return hosts


class FixedHosts:
    """This machine alone."""

    note = ""

    def __init__(self, slots: int) -> None:
        self.hosts: Hosts = {HERE: slots}

    def look(self, now_s: float) -> None:
        """Do nothing: the list does not change."""

    def close(self) -> None:
        """Do nothing."""


class CommandHosts:
    """What the user's command prints.

    Attributes:
        hosts: the last list that was understood; {} before the first.
        note: a line to say now: why the last list stays, or that the command works again; "" else.
    """

    def __init__(self, settings: ElasticSettings) -> None:
        self._words = shlex.split(settings.hosts_command or "")
        self._settings = settings
        self.hosts: Hosts = {}
        self.note = ""
        self._trouble = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self._started_s = self._next_s = -1e9

    def first(self, now: Callable[[], float] = time.monotonic) -> None:
        """Wait for the first list.

        Raises:
            ValueError: the command cannot be started, fails, is late, or prints something else.
        """
        self.look(now())
        while self._process is not None:
            time.sleep(0.01)
            self.look(now())
        if self._trouble:
            raise ValueError(f"{self._trouble[0].upper()}{self._trouble[1:]}")

    def look(self, now_s: float) -> None:
        """Take what the command has printed, end it if it is late, start it if it is due. Never waits."""
        self.note = ""
        if self._process is not None:
            self._watch(now_s)
        elif now_s >= self._next_s:
            self._start(now_s)

    def close(self) -> None:
        """End the command."""
        if self._process is not None:
            self._end()

    def _start(self, now_s: float) -> None:
        self._started_s, self._next_s = now_s, now_s + self._settings.check_every_s
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 (a pipe could fill up)
        try:
            self._process = subprocess.Popen(
                self._words,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            self._output.close()
            self._fail(
                f"{self._command}, which cannot be started ({error.strerror}). Expected: an executable "
                'file, such as hosts_command="bash hosts.sh".'
            )

    @property
    def _command(self) -> str:
        return f"Received: hosts_command={self._settings.hosts_command}"

    def _watch(self, now_s: float) -> None:
        process, output = self._process, self._output
        if process is None or output is None:
            return
        status = process.poll()
        if status is None:
            if now_s - self._started_s > self._settings.hosts_timeout_s:
                self._end()
                self._fail(
                    f"{self._command}, which has not ended after {self._settings.hosts_timeout_s:g} s. Expected: a "
                    "list of hosts by then, or a longer hosts_timeout_s."
                )
            return
        self._process = None
        output.seek(0)
        data = output.read(MOST_BYTES + 1)
        output.close()
        if status:
            self._fail(f"{self._command}, which ended with status {status}. Expected: status 0.")
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        if len(data) > MOST_BYTES:
            self._fail(f"{self._command}, which printed more than 1 MiB. Expected: a line a host.")
            return
        try:
            hosts = parse_hosts(data.decode("utf-8", "replace"), self._settings.slots_per_host)
        except ValueError as error:
            self._fail(f"{self._command}, whose output is no list of hosts. {error}")
            return
        if not hosts:
            self._fail(f"{self._command}, which printed no host. Expected: a line a host.")
            return
        if self._trouble:
            self.note = "the hosts command works again."
        self.hosts, self._trouble = hosts, ""

    def _fail(self, trouble: str) -> None:
        if trouble != self._trouble and self.hosts:
            self.note = f"{trouble} The last list stays: {shown(self.hosts)}."
        self._trouble = trouble

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if self._output is not None:
            self._output.close()


def shown(hosts: Hosts) -> str:
    """Return a list of hosts as launchers take it: "a:2,b:1"."""
    return ",".join(f"{host}:{slots}" for host, slots in hosts.items()) or "none"
