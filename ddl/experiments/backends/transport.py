"""How commands and files reach a node: directly, or by the user's own `ssh` and `rsync`.

    node = open_transport("cluster")            # a host of the user's ssh configuration; None: this machine
    node.run(["uname", "-r"]).stdout

A node that does not answer raises `Unreachable`: nothing is known then, not even whether the command ran. A command
that ran and failed is a result, with its status.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ddl.experiments.backends.processes import (
    DEFAULT_TIMEOUT_S,
    FILES_TIMEOUT_S,
    Completed,
    run_limited,
)
from ddl.experiments.backends.rsync import CopiesByRsync
from ddl.experiments.backends.ssh_transport import SshTransport
from ddl.experiments.problem import Unreachable

__all__ = [
    "DEFAULT_TIMEOUT_S",
    "Completed",
    "LocalTransport",
    "SshTransport",
    "Transport",
    "open_transport",
]


class Transport(Protocol):
    """The way to one node."""

    @property
    def host(self) -> str:
        """Return the host's name for messages, "" for this machine."""

    def home(self) -> str:
        """Return the home folder of the user there."""

    def run(
        self, argv: Sequence[str], *, stdin: str | bytes = "", timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> Completed:
        """Run a command in the user's home folder there, and wait for its end.

        Raises:
            Unreachable: There was no answer; the command may or may not have run.
        """

    def send(
        self,
        local: Path,
        remote: str,
        rules: Sequence[str] = (),
        timeout_s: float = FILES_TIMEOUT_S,
    ) -> None:
        """Copy a file, or what a folder holds, to the node. `rules` are flags of rsync. Each file appears whole.

        Raises:
            Unreachable: The connection broke off; the files that had arrived are whole, the others as before.
            OSError: Files cannot be read here or written there.
        """

    def fetch(
        self,
        remote: str,
        local: Path,
        rules: Sequence[str] = (),
        timeout_s: float = FILES_TIMEOUT_S,
    ) -> None:
        """Copy a file, or what a folder holds, from the node, as `send` does the other way."""


class LocalTransport(CopiesByRsync):
    """This machine."""

    host = ""

    def home(self) -> str:
        """Return the user's home folder."""
        return str(Path("~").expanduser())

    def run(
        self, argv: Sequence[str], *, stdin: str | bytes = "", timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> Completed:
        """Run a command."""
        home = self.home()
        try:
            done = run_limited(argv, stdin, timeout_s, cwd=home if Path(home).is_dir() else "/")
        except FileNotFoundError:
            return Completed(127, "", f"{argv[0]}: not found")
        except PermissionError:
            return Completed(126, "", f"{argv[0]}: permission denied")
        if done is None:
            raise Unreachable(f"{argv[0]} did not end within {timeout_s:g} s on this machine.")
        return done


def open_transport(ssh: str | None) -> Transport:
    """Return the way to a node: by ssh to this destination, or this machine where it is None.

    Raises:
        ValueError: The destination is not one that may be given to ssh.
    """
    return LocalTransport() if ssh is None else SshTransport(ssh)
