"""The page's server: files, events, and what a page asks for. Every answer passes the guard."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ddl.experiments.pages.markup import file_text
from ddl.experiments.pages.page_details import log_lines
from ddl.experiments.server.actions import Actions
from ddl.experiments.server.guard import HEADERS, Guard
from ddl.experiments.server.snapshot import details_json
from ddl.experiments.server.watcher import Watcher
from ddl.experiments.store.view import ExperimentView
from ddl.plain_text import escaped

_PAGES, _SERVER = "ddl.experiments.pages", "ddl.experiments.server"
_FILES = {
    "base.css": (_PAGES, "text/css"),
    "live.css": (_SERVER, "text/css"),
    "live.js": (_SERVER, "text/javascript"),
    "table.js": (_SERVER, "text/javascript"),
    "curves.js": (_SERVER, "text/javascript"),
    "details.js": (_SERVER, "text/javascript"),
    "uPlot.min.css": (_SERVER, "text/css"),
    "uPlot.iife.min.js": (_SERVER, "text/javascript"),
}
_MOST_BODY_BYTES = 1 << 16
_MOST_CURVES = 200
_MOST_LOG_LINES = 2000
_PING_S = 10.0
_LOOK_S = 0.5
RETRY_MS = 1000
"""A page whose server has gone asks again after this time."""


def make_app(watcher: Watcher, guard: Guard, is_ending: Callable[[], bool]) -> Any:
    """Return the application.

    Args:
        watcher: what is known of the store.
        guard: who may ask what.
        is_ending: whether the server is about to end; open pages are let go then.
    """
    pages = _Pages(watcher, is_ending)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(watcher.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    routes = [
        Route("/", pages.index),
        Route("/files/{name}", pages.file),
        Route("/events", pages.events),
        Route("/api/experiment", pages.experiment),
        Route("/api/curves", pages.curves),
        Route("/api/log", pages.log),
        Route("/api/act", pages.act, methods=["POST"]),
    ]
    handlers = {ValueError: _refused, HTTPException: _not_found}
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    return _Guarded(app, guard)


class _Guarded:
    """Refuses what the guard refuses, and gives every answer its headers."""

    def __init__(self, app: Any, guard: Guard) -> None:
        self._app, self._guard = app, guard

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._guard.refusal(scope["method"], Headers(scope=scope))
        app = JSONResponse({"error": refusal}, 403) if refusal else self._app
        await app(scope, receive, send_with_headers)


class _Pages:
    def __init__(self, watcher: Watcher, is_ending: Callable[[], bool]) -> None:
        self._watcher, self._is_ending = watcher, is_ending
        self._actions = Actions(watcher)
        self._texts = {
            name: (file_text(package, f"files/{name}" if package == _SERVER else name), kind)
            for name, (package, kind) in _FILES.items()
        }
        self._index = file_text(_SERVER, "files/index.html")

    async def index(self, _: Request) -> Response:
        """Return the page."""
        return Response(self._index, media_type="text/html")

    async def file(self, request: Request) -> Response:
        """Return a script or a style."""
        if request.path_params["name"] not in self._texts:
            raise HTTPException(404)
        text, kind = self._texts[request.path_params["name"]]
        return Response(text, media_type=kind)

    async def events(self, _: Request) -> Response:
        """Return all that is known of the store, and then what changes, for as long as the page is there."""
        await self._watcher.snapshot()
        return StreamingResponse(self._stream(), media_type="text/event-stream")

    async def _stream(self) -> AsyncIterator[str]:
        yield f"retry: {RETRY_MS}\n{_event('whole', self._watcher.whole())}"
        version, quiet_s = self._watcher.version, 0.0
        while not self._is_ending():
            await self._watcher.news(_LOOK_S)
            if change := self._watcher.since(version):
                version, quiet_s = change["version"], 0.0
                yield _event("change", change)
            elif (quiet_s := quiet_s + _LOOK_S) >= _PING_S:
                quiet_s = 0.0
                yield ": still here\n\n"

    async def experiment(self, request: Request) -> Response:
        """Return what is known of one experiment beside its row."""
        (item,) = await self._items(request, 1)
        return JSONResponse(await asyncio.to_thread(details_json, item))

    async def curves(self, request: Request) -> Response:
        """Return the curves of some experiments: number -> variable -> values, with the epochs under "epoch"."""
        items = await self._items(request, _MOST_CURVES)
        wanted = {"epoch", *request.query_params.getlist("v")}

        def read() -> dict[int, dict[str, Any]]:
            found = {item.number: self._watcher.histories.columns(item.folder) for item in items}
            return {
                number: {
                    name: values for name, values in columns.items() if escaped(name) in wanted
                }
                for number, columns in found.items()
            }

        curves = await asyncio.to_thread(read)
        shown = {
            str(number): {escaped(name): values for name, values in columns.items()}
            for number, columns in curves.items()
        }
        return JSONResponse(shown)

    async def log(self, request: Request) -> Response:
        """Return the last lines of an experiment's output."""
        (item,) = await self._items(request, 1)
        count = _whole_number(request.query_params.get("lines", "200"), _MOST_LOG_LINES)
        return JSONResponse({"lines": await asyncio.to_thread(log_lines, item, count)})

    async def act(self, request: Request) -> Response:
        """Stop, pause, resume or retry experiments."""
        asked = await _json_of(request)
        numbers = asked.get("numbers")
        if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
            raise ValueError(f"Received: numbers={numbers!r}. Expected: a list of whole numbers.")
        return JSONResponse({"told": await self._actions.ask(str(asked.get("do")), numbers)})

    async def _items(self, request: Request, most: int) -> list[ExperimentView]:
        """Return the experiments whose numbers the query names."""
        words = [word for word in request.query_params.get("n", "").split(",") if word]
        if not 1 <= len(words) <= most:
            raise ValueError(f"Received: {len(words)} numbers. Expected: 1 to {most}.")
        snapshot = await self._watcher.snapshot()
        known = {str(item.number): item for item in snapshot.view.experiments}
        if missing := [word for word in words if word not in known]:
            raise ValueError(f"Received: experiment {missing[0]!r}. Expected: one of the store.")
        return [known[word] for word in words]


def _event(kind: str, value: Any) -> str:
    """Return an event. JSON has no line breaks of its own, so it is one line."""
    return f"event: {kind}\ndata: {json.dumps(value, allow_nan=False)}\n\n"


async def _json_of(request: Request) -> dict[str, Any]:
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > _MOST_BODY_BYTES:
            raise ValueError(
                f"Received: more than {_MOST_BODY_BYTES} bytes. Expected: a short JSON."
            )
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValueError("Received: no JSON object. Expected: do and numbers.")
    return value


def _whole_number(text: str, most: int) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:9]) <= most:
        raise ValueError(f"Received: lines={text!r}. Expected: a whole number from 1 to {most}.")
    return int(text)


async def _refused(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": escaped(error)}, 400)


async def _not_found(_: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    return JSONResponse({"error": f"Received: a request that ends with {status}."}, status)
