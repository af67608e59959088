"""Heartbeats between ranks over TCP, independent of Horovod, to detect and name a lost rank.

Horovod's threads block inside MPI or Gloo and cannot report which rank is missing when a machine disappears or a
process is stopped. Here every rank but 0 sends rank 0 one line per second (JSON, with a random token that rank 0
chose). Rank 0 answers each line, and both sides record the time of the last message.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import selectors
import socket
import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any

_CONNECT_TIMEOUT_S = 2.0
_MAX_LINE_BYTES = 4096


@dataclass(frozen=True)
class Peer:
    """A rank with its host and process id, as messages show it."""

    rank: int
    host: str
    pid: int

    def __str__(self) -> str:
        return f"rank {self.rank} (host {self.host}, pid {self.pid})"


@dataclass
class Life:
    """The last known state of a peer: alive, waiting, failed, left or died."""

    peer: Peer
    state: str = "alive"
    place: str = ""
    seen: float = field(default_factory=time.monotonic)

    def silent_s(self) -> float:
        """Return the seconds since the last message."""
        return time.monotonic() - self.seen


@dataclass(frozen=True)
class Address:
    """The address at which rank 0 listens; it is broadcast to the other ranks."""

    host: str
    addresses: tuple[str, ...]
    port: int
    token: str


class Server:
    """Rank 0's side: receives the lines of all other ranks and answers them."""

    def __init__(self, host: str, addresses: tuple[str, ...]) -> None:
        self.lives: dict[int, Life] = {}
        self._listener = socket.create_server(("", 0), backlog=1024)
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        port = self._listener.getsockname()[1]
        self.address = Address(host, addresses, port, secrets.token_hex(16))
        self._buffers: dict[socket.socket, bytes] = {}
        self._ranks: dict[socket.socket, int] = {}

    def poll(self, timeout_s: float) -> None:
        """Wait up to `timeout_s` for messages and handle them."""
        for key, _ in self._selector.select(timeout_s):
            if key.fileobj is self._listener:
                connection, _ = self._listener.accept()
                connection.settimeout(_CONNECT_TIMEOUT_S)
                self._buffers[connection] = b""
                self._selector.register(connection, selectors.EVENT_READ)
            else:
                self._read(key.fileobj)  # type: ignore[arg-type]

    def tell(self, state: str) -> None:
        """Send rank 0's state to every rank."""
        for connection in list(self._ranks):
            _send(connection, {"state": state})

    def close(self) -> None:
        """Announce to every rank that rank 0 leaves, and stop listening."""
        self.tell("left")
        for connection in self._ranks:
            connection.close()
        self._listener.close()
        self._selector.close()

    def _read(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(_MAX_LINE_BYTES)
        except OSError:
            data = b""
        *lines, rest = (self._buffers[connection] + data).split(b"\n")
        self._buffers[connection] = rest
        valid = all(self._take(connection, line) for line in lines)
        if not data or not valid or len(rest) > _MAX_LINE_BYTES:
            self._drop(connection)

    def _take(self, connection: socket.socket, line: bytes) -> bool:
        try:
            message = json.loads(line)
            if not secrets.compare_digest(str(message["token"]), self.address.token):
                return False
            peer = Peer(int(message["rank"]), str(message["host"]), int(message["pid"]))
            state, place = str(message["state"]), str(message["place"])
        except (ValueError, KeyError, TypeError):
            return False
        self._ranks[connection] = peer.rank
        self.lives[peer.rank] = Life(peer, state, place)
        _send(connection, {"state": "alive"})
        return True

    def _drop(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        connection.close()
        del self._buffers[connection]
        life = self.lives.get(self._ranks.pop(connection, -1))
        if life is not None and life.state in ("alive", "waiting"):
            life.state = "died"


class Client:
    """The side of every rank except 0."""

    def __init__(self, address: Address, me: Peer) -> None:
        """Connect to rank 0.

        Raises:
            OSError: if no address of rank 0 answers.
        """
        self.root = Life(Peer(0, address.host, 0))
        self._identity = asdict(me) | {"token": address.token}
        self._lock = threading.Lock()
        self._buffer = b""
        candidates = ("127.0.0.1",) if address.host == me.host else address.addresses
        self._socket = _connect(candidates, address.port)

    def say(self, state: str, place: str) -> None:
        """Send rank 0 a heartbeat with this rank's state and source line."""
        with self._lock:
            _send(self._socket, self._identity | {"state": state, "place": place[:500]})

    def listen(self, timeout_s: float) -> None:
        """Wait up to `timeout_s` for rank 0's answer."""
        self._socket.settimeout(timeout_s)
        try:
            data = self._socket.recv(_MAX_LINE_BYTES)
        except TimeoutError:
            return
        except OSError:
            data = b""
        if not data:
            self.root.state = "died" if self.root.state == "alive" else self.root.state
            time.sleep(timeout_s)
            return
        self.root.seen = time.monotonic()
        for state in ("left", "failed"):
            if f'"{state}"'.encode() in self._buffer + data:
                self.root.state = state
        self._buffer = data[-16:]

    def close(self) -> None:
        """Announce to rank 0 that this rank leaves."""
        self.say("left", "")
        self._socket.close()


def _connect(candidates: tuple[str, ...], port: int) -> socket.socket:
    errors = []
    for candidate in candidates:
        try:
            return socket.create_connection((candidate, port), _CONNECT_TIMEOUT_S)
        except OSError as error:
            errors.append(f"{candidate}: {error}")
    raise OSError("; ".join(errors) or "rank 0 has no address")


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the other side is gone; the next read reports it
        connection.sendall(json.dumps(message).encode() + b"\n")
