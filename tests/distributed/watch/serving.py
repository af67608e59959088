"""What tests of the heartbeat port share: a server whose thread polls, ranks that connect to it, and strangers."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

from ddl.distributed.watch.addresses import LOOPBACK
from ddl.distributed.watch.heartbeat import Client, Peer
from ddl.distributed.watch.running_time import RunningTime
from ddl.distributed.watch.server import Server

ROOT = Peer(0, "here", 1)
_opened: list[socket.socket] = []  # by ranks and strangers; closed with the server


@contextlib.contextmanager
def serving(ranks: int = 3) -> Iterator[Server]:
    """Return a server on the loopback that a thread polls; an error of the thread fails the test."""
    server, stop, errors = Server(ROOT, ranks, (LOOPBACK,), RunningTime()), threading.Event(), []

    def poll() -> None:
        try:
            while not stop.is_set():
                server.poll(0.1)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield server
    finally:
        stop.set()
        thread.join()
        server.close()
        while _opened:
            _opened.pop().close()
    assert errors == []


def join(server: Server, rank: int) -> Client:
    """Connect a rank."""
    client = Client(server.address, Peer(rank, "here", 100 + rank), RunningTime())
    _opened.append(client._socket)
    return client


def is_heard(server: Server, rank: Client, place: str) -> bool:
    """Return whether a heartbeat arrives, and its answer."""
    number = rank._me.rank
    rank.say("alive", place)
    rank.listen(5)
    return soon(lambda: server.lives[number].place == place) and rank.root.state == "alive"


def soon(happens: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    """Wait until something happens, and return whether it did."""
    deadline = time.monotonic() + timeout_s
    while not happens() and time.monotonic() < deadline:
        time.sleep(0.01)
    return happens()


def connect(server: Server) -> socket.socket:
    """Connect a stranger."""
    _opened.append(socket.create_connection(server.address.endpoints[0], timeout=10))
    return _opened[-1]


def is_closed(stranger: socket.socket, timeout_s: float = 10.0) -> bool:
    """Return whether the server closes a connection in time, without a word."""
    stranger.settimeout(timeout_s)
    try:
        return stranger.recv(100) == b""
    except TimeoutError:
        return False
    except OSError:  # reset
        return True
