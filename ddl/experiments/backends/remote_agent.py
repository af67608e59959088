"""The agent on a node: sent once, found again by its contents, called for JSON."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ddl.experiments.agent.pack import pack
from ddl.experiments.backends.processes import DEFAULT_TIMEOUT_S, Completed, brief
from ddl.experiments.backends.transport import Transport
from ddl.experiments.problem import Unreachable
from ddl.plain_text import escaped

_BAD_INPUT = 2
_NO_PROGRAM = (126, 127)
# The name comes last, so a file with the right name is whole.
_PLACE = 'mkdir -p "$(dirname "$1")" && cat > "$1.$$" && mv -f "$1.$$" "$1"'


class RemoteAgent:
    """The agent's program on one node."""

    def __init__(self, transport: Transport, python: str = "python3") -> None:
        """Remember the way and the Python of the node. Sends nothing yet."""
        self._transport = transport
        self._python = python
        self._path = ""

    def python(self) -> str:
        """Return the Python there; `~/` in front of it is the user's home folder on the node."""
        if self._python.startswith("~/"):
            return f"{self._transport.home()}{self._python[1:]}"
        return self._python

    def path(self) -> str:
        """Return the absolute path of the agent on the node; sends it there unless the same one is there."""
        if not self._path:
            sha, data = packed()
            path = f"{self._transport.home()}/.ddl/agents/{sha}.pyz"
            if self._transport.run(["test", "-s", path]).returncode:
                self._place(path, data)
            self._path = path
        return self._path

    def call(
        self, words: Sequence[str], *, stdin: str = "", timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> dict[str, Any]:
        """Run the agent with these words, and return the JSON object that it prints.

        Raises:
            Unreachable: The node or the agent did not answer as it should.
            ValueError: The agent refuses the words for certain (status 2).
        """
        done = self.run(words, stdin=stdin, timeout_s=timeout_s)
        host = self._transport.host or "this machine"
        if done.returncode == _BAD_INPUT:
            raise ValueError(brief(done.stderr))
        if done.returncode in _NO_PROGRAM:
            raise Unreachable(
                f"{host}: no {escaped(self._python)} of version 3.8 or newer ({brief(done.stderr)}); `python:` of "
                "the node in nodes.yaml names another."
            )
        try:
            value = json.loads(done.stdout)
        except ValueError:
            value = None
        if done.returncode or not isinstance(value, dict):
            raise Unreachable(
                f"{host}: the agent ended with status {done.returncode}: {brief(done.stderr)}"
            )
        return value

    def run(
        self, words: Sequence[str], *, stdin: str = "", timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> Completed:
        """Run the agent with these words."""
        return self._transport.run(
            [self.python(), self.path(), *words], stdin=stdin, timeout_s=timeout_s
        )

    def _place(self, path: str, data: bytes) -> None:
        done = self._transport.run(["sh", "-c", _PLACE, "sh", path], stdin=data, timeout_s=60)
        if done.returncode:
            raise Unreachable(
                f"{self._transport.host or 'this machine'}: could not write {path}: {brief(done.stderr)}"
            )


@functools.cache
def packed() -> tuple[str, bytes]:
    """Return the agent's checksum and its bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agent.pyz"
        sha = pack(path)
        return sha, path.read_bytes()
