"""Rank 0's side of the heartbeats: receives the lines of all other ranks and answers them.

Its port can be reached by strangers, from port scanners to other users' broken programs. It listens on the addresses
that ranks use, and only until every rank has connected. What a stranger does meanwhile neither ends the thread nor
keeps files open: a connection counts for nothing until it has sent the job's token.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import time
from dataclasses import dataclass, field

from ddl.distributed.watch.heartbeat import STATES, Address, Life, Peer
from ddl.distributed.watch.lines import MAX_LINE_BYTES, Decoder, NotOurs, encode, new_token
from ddl.distributed.watch.running_time import RunningTime

TOKEN_TIMEOUT_S = 2.0
LISTEN_S = 60.0  # ranks that have not connected by then are not watched
_FEWEST_STRANGERS = 8
_ACCEPTED_AT_ONCE = 128
_PAUSE_S = 0.1  # before the next attempt to accept while all files are in use
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@dataclass
class _Connection:
    """A connection; `rank` is None until it has sent the token."""

    socket: socket.socket
    decoder: Decoder
    since_s: float = field(default_factory=time.monotonic)
    rank: int | None = None


class Server:
    """Rank 0's side."""

    def __init__(
        self, me: Peer, ranks: int, addresses: tuple[str, ...], clock: RunningTime
    ) -> None:
        """Listen.

        Args:
            me: rank 0.
            ranks: number of ranks, this one included.
            addresses: this machine's addresses to listen on.
            clock: this process's running time.

        Raises:
            OSError: if a port cannot be opened.
        """
        self.lives: dict[int, Life] = {}
        self._size, self._clock = ranks, clock
        self._most_strangers = max(2 * ranks, _FEWEST_STRANGERS)
        self._until_s = time.monotonic() + LISTEN_S
        self._strangers: dict[socket.socket, _Connection] = {}  # the oldest first
        self._ranks: dict[int, _Connection] = {}
        self._selector = selectors.DefaultSelector()
        self._listeners: list[socket.socket] = []
        try:
            for address in addresses:
                self._listen(address)
        except OSError:
            self.close()
            raise
        endpoints = tuple(listener.getsockname()[:2] for listener in self._listeners)
        self.address = Address(me, endpoints, new_token())

    @property
    def is_listening(self) -> bool:
        """Whether somebody can still connect."""
        return bool(self._listeners)

    def poll(self, timeout_s: float) -> None:
        """Wait up to `timeout_s` for messages and handle them."""
        if self._strangers:
            timeout_s = min(timeout_s, TOKEN_TIMEOUT_S / 4)
        for key, _ in self._selector.select(timeout_s):
            if key.fileobj in self._listeners:
                self._accept(key.fileobj)
            elif key.data.socket.fileno() >= 0:  # not dropped a moment ago
                self._read(key.data)
        self._drop_the_silent()
        if self._listeners and (self._is_complete() or time.monotonic() > self._until_s):
            self._stop_listening()

    def tell(self, state: str) -> None:
        """Send rank 0's state to every rank."""
        for connection in list(self._ranks.values()):
            self._send(connection, state)

    def close(self) -> None:
        """Announce to every rank that rank 0 leaves, and close all connections."""
        self.tell("left")
        self._stop_listening()
        for connection in self._ranks.values():
            connection.socket.close()
        self._selector.close()

    def _listen(self, address: str) -> None:
        listener = socket.create_server((address, 0), backlog=1024)
        listener.setblocking(False)
        self._listeners.append(listener)
        self._selector.register(listener, selectors.EVENT_READ)

    def _stop_listening(self) -> None:
        for connection in list(self._strangers.values()):
            self._drop(connection)
        for listener in self._listeners:
            self._selector.unregister(listener)
            listener.close()
        self._listeners = []

    def _is_complete(self) -> bool:
        """Return whether every rank has connected."""
        return len(self._ranks) == self._size - 1

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                opened, _ = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:  # the other end may have gone already
                if error.errno in _OUT_OF_FILES:
                    self._drop_strangers(0)
                    time.sleep(_PAUSE_S)
                    return
                continue
            opened.setblocking(False)
            connection = _Connection(opened, Decoder(self.address.token))
            self._strangers[opened] = connection
            try:
                self._selector.register(opened, selectors.EVENT_READ, connection)
            except OSError:
                self._drop(connection)
                continue
            self._read(connection)  # a rank sends its first line at once
            self._drop_strangers(self._most_strangers)

    def _read(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(MAX_LINE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        try:
            for fields in connection.decoder.feed(data):
                self._take(connection, fields)
        except ValueError:  # not our token, or not a heartbeat
            data = b""
        if not data:
            self._drop(connection)

    def _take(self, connection: _Connection, fields: list[str]) -> None:
        """Note what a rank says. Raises ValueError if it is no heartbeat."""
        rank, pid, host, state, place = fields
        peer = Peer(int(rank), host, int(pid))
        if not 0 < peer.rank < self._size or state not in STATES:
            raise NotOurs("no heartbeat of a rank of this job")
        self._strangers.pop(connection.socket, None)
        before = self._ranks.get(peer.rank)
        if before is not None and before is not connection:  # the rank has connected again
            before.rank = None
            self._drop(before)
        connection.rank = peer.rank
        self._ranks[peer.rank] = connection
        self.lives[peer.rank] = Life(peer, state, place, self._clock.now())
        self._send(connection, "alive")

    def _send(self, connection: _Connection, state: str) -> None:
        # The other side may be gone, which the next read reports. A full buffer, too, is that of a rank in trouble.
        with contextlib.suppress(OSError):
            connection.socket.sendall(encode(self.address.token, state))

    def _drop_the_silent(self) -> None:
        now = time.monotonic()
        for connection in list(self._strangers.values()):
            if now - connection.since_s <= TOKEN_TIMEOUT_S:
                return
            self._drop(connection)

    def _drop_strangers(self, most: int) -> None:
        """Drop the oldest connections without a token, until `most` are left."""
        while len(self._strangers) > most:
            self._drop(next(iter(self._strangers.values())))

    def _drop(self, connection: _Connection) -> None:
        self._strangers.pop(connection.socket, None)
        with contextlib.suppress(KeyError, ValueError):  # not registered
            self._selector.unregister(connection.socket)
        connection.socket.close()
        if connection.rank is None:
            return
        del self._ranks[connection.rank]
        life = self.lives[connection.rank]
        if life.state in ("alive", "waiting"):
            life.state, life.seen_s = "died", self._clock.now()
