"""A real OpenSSH server on loopback: own keys, a free port, no service of the machine, a home folder of its own.

    with running_sshd(tmp_path) as node:
        node.transport("node").run(["hostname"])

The client's configuration is given by a small `ssh` that stands first in PATH: ssh reads ~/.ssh/config of the
account, whatever HOME says, and tests must not write there.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.packages import find_program, require_programs

HOST = "node"
_STARTS_S = 10.0
_CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
PidFile {folder}/sshd.pid
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
MaxStartups 100
MaxSessions 100
SetEnv HOME={home} PATH={path} {variables}
"""
_CLIENT = """
Host {host} other
  HostName 127.0.0.1
  Port {port}
  IdentityFile {folder}/key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known
  StrictHostKeyChecking yes
  HostKeyAlias ddl-test
"""


@dataclass
class Sshd:
    """A server and what a client needs.

    Attributes:
        folder: Its keys and configuration.
        home: HOME of what runs there.
        bin: Folder that belongs first into PATH of a client.
        port: Its port.
    """

    folder: Path
    home: Path
    bin: Path
    port: int
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        server = find_program("sshd")
        assert server is not None
        with (self.folder / "sshd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [server, "-D", "-e", "-f", str(self.folder / "sshd_config")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _STARTS_S
        while not _answers(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "sshd.log").read_text(errors="replace"))
            time.sleep(0.02)

    def stop(self) -> None:
        """End the server and all its connections."""
        if self._process is None:
            return
        # Each connection is a process in a session of its own, a child of the server.
        found = _children_of(self._process.pid)
        for pid in [self._process.pid, *found]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(10)
        self._process = None

    def hang(self, hung: bool) -> None:
        """Stop the server and its connections from answering, or let them go on."""
        assert self._process is not None
        for pid in [self._process.pid, *_children_of(self._process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP if hung else signal.SIGCONT)


@contextlib.contextmanager
def running_sshd(folder: Path, **environ: str) -> Iterator[Sshd]:
    """Start a server in a new folder; set PATH of this process for its clients; end everything afterwards.

    `environ` is added to the environment of what runs there.
    """
    require_programs(
        ("sshd", "ssh", "ssh-keygen", "rsync"), ("openssh-server", "openssh-client", "rsync")
    )
    node = _prepare(folder, environ)
    before = os.environ["PATH"]
    try:
        node.start()
        os.environ["PATH"] = f"{node.bin}:{before}"
        yield node
    finally:
        os.environ["PATH"] = before
        node.stop()


def _prepare(folder: Path, environ: dict[str, str]) -> Sshd:
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    node = Sshd(folder, folder / "home", folder / "bin", port)
    node.home.mkdir()
    node.bin.mkdir()
    for name in ("host", "key"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(words, check=True, timeout=20, stdin=subprocess.DEVNULL)
    (folder / "authorized").write_text((folder / "key.pub").read_text())
    (folder / "known").write_text(f"ddl-test {(folder / 'host.pub').read_text()}")
    values = {"port": port, "folder": folder, "home": node.home, "host": HOST}
    path = os.environ["PATH"]
    variables = " ".join(f"{name}={value}" for name, value in environ.items())
    config = _CONFIG.format(**values, path=path, variables=variables)
    (folder / "sshd_config").write_text(config)
    (folder / "ssh_config").write_text(_CLIENT.format(**values))
    client = find_program("ssh")
    config = shlex.quote(str(folder / "ssh_config"))
    wrapper = node.bin / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {client} -F {config} "$@"\n')
    wrapper.chmod(0o755)
    if os.geteuid() == 0:  # the server wants it, whatever its configuration says
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    return node


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as found:
        return found.recv(4) == b"SSH-"
    return False


def _children_of(pid: int) -> list[int]:
    """Return the processes of the server's connections: what they started goes on, as after a broken line."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            text = path.read_text(errors="replace")
            name = text[text.index("(") + 1 : text.rindex(")")]
            parents[int(path.parent.name)] = (int(text.rpartition(")")[2].split()[1]), name)
    found, grown = {pid}, True
    while grown:
        more = {
            child for child, (parent, name) in parents.items() if parent in found and "sshd" in name
        }
        grown = not more <= found
        found |= more
    return sorted(found - {pid})
