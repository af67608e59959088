"""`serve`: a live page about a store, on this machine."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib.util import find_spec

from ddl.experiments.verbs.of_store import OfStore, find, say, say_json
from ddl.plain_text import escaped, tell

INSTALL = "./setup.sh --extras, or pip install -r requirements-web.txt"


@dataclass(frozen=True, kw_only=True)
class Settings(OfStore):
    """Show a live page: a table with a column for each parameter, curves, findings, logs; stop and retry.

    It needs the packages of requirements-web.txt. The page is on this machine only: from elsewhere, take a tunnel,
    `ssh -L 8470:127.0.0.1:8470 MACHINE`. Whoever reaches the page can read it; to change something needs the token in
    the address that is printed. Ctrl-C ends it. It shows what the store knows: `manage` beside it keeps that fresh.

        python scripts/experiments.py serve

    Attributes:
        host: address to listen at; another than 127.0.0.1 lets others read the page, without encryption
        port: port to listen at; 0 takes any free one
    """

    host: str = "127.0.0.1"
    port: int = 8470


def run(settings: Settings) -> int:
    """Serve until a signal ends it."""
    if missing := [name for name in ("starlette", "uvicorn") if find_spec(name) is None]:
        raise ValueError(f"Received: serve without {' and '.join(missing)}. Expected: {INSTALL}.")
    if not 0 <= settings.port < 65536:
        raise ValueError(f"Received: port={settings.port}. Expected: a number from 0 to 65535.")
    from ddl.experiments.server.guard import Guard, is_loopback
    from ddl.experiments.server.run import listen, serve

    store, _ = find(settings)
    guard = Guard(settings.host)
    with listen(settings.host, settings.port) as listener:
        port = listener.getsockname()[1]
        shown = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = f"http://{shown}:{port}/#token={guard.token}"

        def begun() -> None:
            if settings.json:
                say_json({"url": url, "store": str(store.path), "pid": os.getpid()})
            else:
                say([f"{escaped(store.name)} is served at {url}"])
            if not is_loopback(settings.host):
                who = f"everybody who reaches {shown}:{port} can read the page"
                tell(f"experiments serve: {who}, and it is not encrypted.")
            sys.stdout.flush()

        serve(store.path, listener, guard, begun)
    return 0
