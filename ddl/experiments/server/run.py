"""Runs the live page until Ctrl-C."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn

from ddl.experiments.server.app import make_app
from ddl.experiments.server.guard import Guard
from ddl.experiments.server.watcher import Watcher

_GRACE_S = 2


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ValueError: The address is not this machine's, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise ValueError(
            f"Received: host={host}: {error}. Expected: an address of this machine, such as 127.0.0.1."
        ) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise ValueError(
            f"Received: port={port} of {host}: {error.strerror}. Expected: a free one; port=0 takes any."
        ) from None
    return listener


def serve(store: Path, listener: socket.socket, guard: Guard, begun: Callable[[], None]) -> None:
    """Serve a store's page until a signal asks to end.

    Args:
        store: the store's folder.
        listener: a socket that listens.
        guard: who may ask what.
        begun: called before the first request is answered.
    """
    app = make_app(Watcher(store), guard, lambda: server.should_exit)
    settings: dict[str, Any] = {
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        "ws": "none",
        "timeout_graceful_shutdown": _GRACE_S,
        "timeout_keep_alive": 30,
        "limit_concurrency": 256,
    }
    server = uvicorn.Server(uvicorn.Config(app, **settings))
    begun()
    server.run(sockets=[listener])
