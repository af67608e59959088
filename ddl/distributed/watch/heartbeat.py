"""Heartbeats between ranks over TCP, independent of Horovod, to detect and name a lost rank.

Horovod's threads block inside MPI or Gloo and cannot report which rank is missing when a machine disappears or a
process is stopped. Here every rank but 0 sends rank 0 one line per second (`lines`). Rank 0 answers each line
(`server`), and both sides record the time of the last message.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass

from ddl.distributed.watch.lines import MAX_LINE_BYTES, Decoder, NotOurs, encode
from ddl.distributed.watch.running_time import RunningTime

STATES = ("alive", "waiting", "failed", "left", "ending")

_CONNECT_TIMEOUT_S = 2.0
_ANSWER_TIMEOUT_S = 5.0
_JOIN_S = 20.0  # how long a rank tries to reach rank 0
_RETRY_S = 0.05


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
    """The last known state of a peer, and since when (seconds of the own running time).

    alive; waiting: Horovod has ended under it; failed: it has printed an error; left: it has finished; ending: it
    has printed why the job ends; died: its connection closed without a word.
    """

    peer: Peer
    state: str = "alive"
    place: str = ""
    seen_s: float = 0.0


@dataclass(frozen=True)
class Address:
    """Where rank 0 listens; it is broadcast to the other ranks."""

    root: Peer
    endpoints: tuple[tuple[str, int], ...]
    token: str


class Client:
    """The side of every rank except 0."""

    def __init__(self, address: Address, me: Peer, clock: RunningTime) -> None:
        """Connect to rank 0.

        Raises:
            OSError: if rank 0 answers at none of its addresses.
        """
        self._me, self._token, self._clock = me, address.token, clock
        self._lock = threading.Lock()
        self._decoder = Decoder(self._token)
        self._socket = self._join(address.endpoints)
        self.root = Life(address.root, seen_s=clock.now())

    def say(self, state: str, place: str) -> None:
        """Send rank 0 a heartbeat with this rank's state and source line."""
        line = self._line(state, place)
        with self._lock, contextlib.suppress(OSError):  # rank 0 is gone; `listen` reports it
            self._socket.sendall(line)

    def listen(self, timeout_s: float) -> None:
        """Wait up to `timeout_s` for a message from rank 0."""
        if self.root.state == "died":
            time.sleep(timeout_s)
            return
        try:
            self._socket.settimeout(timeout_s)
            data = self._socket.recv(MAX_LINE_BYTES)
        except TimeoutError:
            return
        except OSError:
            data = b""
        if data:
            self._take(data)
        elif self.root.state == "alive":
            self._set_root("died")
        else:
            time.sleep(timeout_s)

    def close(self) -> None:
        """Announce to rank 0 that this rank leaves."""
        self.say("left", "")
        self._socket.close()

    def _take(self, data: bytes) -> None:
        try:
            for fields in self._decoder.feed(data):
                if (
                    fields and fields[0] in STATES and self.root.state == "alive"
                ):  # others are final
                    self._set_root(fields[0])
        except NotOurs:  # nothing in between can write into the connection: a broken stream
            self._set_root("died")

    def _set_root(self, state: str) -> None:
        self.root.state, self.root.seen_s = state, self._clock.now()

    def _line(self, state: str, place: str) -> bytes:
        me = self._me
        return encode(self._token, me.rank, me.pid, me.host, state, place)

    def _join(self, endpoints: tuple[tuple[str, int], ...]) -> socket.socket:
        """Return the first connection on which rank 0 answers. Strangers may keep rank 0 busy: try again."""
        deadline, errors = time.monotonic() + _JOIN_S, {}
        while True:
            for host, port in endpoints:
                try:
                    return self._greet(host, port)
                except (OSError, NotOurs) as error:
                    errors[host] = f"{host} port {port}: {error}"
            if not endpoints or time.monotonic() > deadline:
                raise OSError("; ".join(errors.values()) or "rank 0 has no address")
            time.sleep(_RETRY_S)

    def _greet(self, host: str, port: int) -> socket.socket:
        """Connect, and wait for the answer: what listens there may be another program."""
        connection = socket.create_connection((host, port), _CONNECT_TIMEOUT_S)
        try:
            connection.settimeout(_ANSWER_TIMEOUT_S)
            connection.sendall(self._line("alive", ""))
            decoder = Decoder(self._token)
            answers: list[list[str]] = []
            while not answers:
                data = connection.recv(MAX_LINE_BYTES)
                if not data:
                    raise ConnectionError("the connection was closed without an answer")
                answers = decoder.feed(data)
            self._decoder = decoder
        except BaseException:
            connection.close()
            raise
        return connection
