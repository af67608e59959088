"""`serve` as a process of its own, on loopback and a free port; requests to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "experiments.py"
_LONGEST_S = 30


class Serving:
    """A running server."""

    def __init__(self, process: subprocess.Popen[str], facts: Mapping[str, Any]) -> None:
        """Keep what it printed."""
        self.process = process
        self.url = str(facts["url"])
        parts = urlsplit(self.url)
        self.host, self.port = str(parts.hostname), int(parts.port or 0)
        self.token = parts.fragment.removeprefix("token=")
        self.page = f"http://{self.host}:{self.port}/"

    def ask(
        self, path: str, method: str = "GET", body: Any = None, **headers: str
    ) -> tuple[int, Any, Mapping[str, str]]:
        """Return status, JSON or text, and headers of an answer. `x_ddl_token` is the header X-Ddl-Token."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=_LONGEST_S)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        with contextlib.closing(connection):
            connection.request(method, path, data, given)
            answer = connection.getresponse()
            text = answer.read().decode()
            found = {name.lower(): value for name, value in answer.getheaders()}
        is_json = found.get("content-type", "").startswith("application/json")
        return answer.status, json.loads(text) if is_json else text, found

    def act(self, do: str, *numbers: Any, token: str | None = None) -> tuple[int, Any]:
        """Ask for something that needs the token."""
        token = self.token if token is None else token
        body = {"do": do, "numbers": list(numbers)}
        return self.ask("/api/act", "POST", body, x_ddl_token=token)[:2]

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End it, and wait."""
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(_LONGEST_S)


@contextlib.contextmanager
def serving(store: Path, port: int = 0, home: Path | None = None) -> Iterator[Serving]:
    """Serve a store during the block."""
    words = ["serve", "--store", str(store), "--port", str(port), "--json"]
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), *words],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"DDL_NODE_HOME": str(home or store.parent / "node")},
    )
    assert process.stdout is not None
    try:
        text = ""
        while not text.endswith("}\n"):
            line = process.stdout.readline()
            assert line, f"serve ended: {process.wait(_LONGEST_S)}"
            text += line
        found = Serving(process, json.loads(text))
        _wait_until_open(found.port)
        yield found
    finally:
        process.kill()
        process.wait(_LONGEST_S)
        process.stdout.close()


def _wait_until_open(port: int) -> None:
    deadline = time.monotonic() + _LONGEST_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(f"nothing listens at {port}")


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
