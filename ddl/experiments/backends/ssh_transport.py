"""The user's own `ssh` and `rsync`: keys, configuration, jump hosts and open connections work as in a terminal."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path

from ddl.experiments.backends.processes import (
    DEFAULT_TIMEOUT_S,
    Completed,
    brief,
    run_limited,
)
from ddl.experiments.backends.rsync import CopiesByRsync
from ddl.experiments.problem import Unreachable
from ddl.plain_text import escaped

_DESTINATION = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.+-]*@)?[A-Za-z0-9_][A-Za-z0-9_.-]*")
_CONNECT_S = 10
_OPTIONS = (
    "BatchMode=yes",  # a question would wait for ever
    f"ConnectTimeout={_CONNECT_S}",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",  # a dead network ends the connection after 15 s
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "RequestTTY=no",
    "LogLevel=ERROR",
)
_CONNECTION_FAILED = 255
_LONGEST_SOCKET = 104 - 18 - 41  # sun_path, ssh's temporary ending, %C and its slash
# A login shell may print a greeting, and is not always sh: what follows the mark comes from the command. ssh itself
# ends with 255 where the connection breaks, so a command's own 255 becomes 254.
_SCRIPT = 'cd 2>/dev/null || cd /; printf "%s\\n" {mark}; {command}; s=$?; [ "$s" = 255 ] && s=254; exit "$s"'


class SshTransport(CopiesByRsync):
    """A host that `ssh` reaches."""

    def __init__(self, destination: str) -> None:
        """Check the destination: a host of the user's configuration, or user@host. Connects to nothing."""
        if not _DESTINATION.fullmatch(destination):
            raise ValueError(
                f"Received: ssh: {escaped(destination)!r}. Expected: HOST or USER@HOST, as in `ssh HOST`; ports and "
                "jump hosts belong into ~/.ssh/config."
            )
        self.host = destination
        self._options: list[str] | None = None
        self._home = ""

    def home(self) -> str:
        """Return the home folder of the user there; asks once."""
        if not self._home:
            done = self.run(["pwd"])
            folder = done.stdout.strip()
            if done.returncode or not folder.startswith("/"):
                raise Unreachable(f"{self.host}: the home folder is unknown: {brief(done.stderr)}")
            self._home = folder
        return self._home

    def run(
        self, argv: Sequence[str], *, stdin: str | bytes = "", timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> Completed:
        """Run a command there."""
        mark = f"ddl-{uuid.uuid4().hex}"
        script = _SCRIPT.format(mark=mark, command=shlex.join(argv))
        words = [_program("ssh"), *self.options(), "--", self.host, f"sh -c {shlex.quote(script)}"]
        done = run_limited(words, stdin, timeout_s)
        if done is None:
            raise Unreachable(f"{self.host} did not answer within {timeout_s:g} s.")
        before, found, after = done.stdout.partition(f"{mark}\n")
        if not found or done.returncode in (_CONNECTION_FAILED, -1):
            said = brief(done.stderr or before)
            raise Unreachable(f"{self.host}: ssh ended with status {done.returncode}: {said}")
        return Completed(done.returncode, after, done.stderr)

    def options(self) -> list[str]:
        """Return the options of `ssh`: no questions, time limits, and one connection for many calls."""
        if self._options is None:
            words = [word for option in _OPTIONS for word in ("-o", option)]
            self._options = words if self._has_own_master() else [*words, *_shared_connection()]
        return self._options

    def _shell(self) -> list[str]:
        return ["-e", shlex.join([_program("ssh"), *self.options()])]

    def _has_own_master(self) -> bool:
        """Return whether the user's configuration shares connections already: a second factor was given to that one."""
        done = run_limited([_program("ssh"), "-G", "--", self.host], "", _CONNECT_S)
        if done is None or done.returncode:
            return False
        found = re.search(r"^controlpath (?!none$)(.+)$", done.stdout, re.MULTILINE)
        return found is not None


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ValueError(
            f"Received: no {name} on this machine. Expected: OpenSSH's {name} on PATH."
        )
    return found


def _shared_connection() -> list[str]:
    """Return the options that let calls share a connection for a minute; none where no private folder is there."""
    folder = _socket_folder()
    if folder is None:
        return []
    words = ("ControlMaster=auto", "ControlPersist=60", f"ControlPath={folder}/%C")
    return [word for option in words for word in ("-o", option)]


def _socket_folder() -> Path | None:
    """Return a short folder that only this user can enter: a socket's path has at most 104 characters."""
    places = [os.environ.get("XDG_RUNTIME_DIR"), str(Path("~/.ddl").expanduser())]
    folders = [Path(place) / "ddl-ssh" for place in places if place]
    folders.append(Path(tempfile.gettempdir()) / f"ddl-ssh-{os.getuid()}")
    return next((folder for folder in folders if _is_private(folder)), None)


def _is_private(folder: Path) -> bool:
    if len(os.fsencode(folder)) > _LONGEST_SOCKET or not re.fullmatch(r"[\w./+-]+", str(folder)):
        return False
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return ours and not found.st_mode & 0o077
