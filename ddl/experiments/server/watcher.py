"""Reads the store again and again while somebody looks, and tells what has changed."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from pathlib import Path
from typing import Any

from ddl.experiments.server.histories import Histories
from ddl.experiments.server.snapshot import Snapshot, take_snapshot
from ddl.experiments.store.files import Files
from ddl.experiments.store.view import read_view

EVERY_S = 1.0
_SHARE = 4  # a fourth of one core at most, however many experiments there are
_IDLE_S = 10.0
_FRESH_S = 5.0
_MOST_NOTES = 50


class Watcher:
    """What is known of a store, with a version for each part, so that a page gets what is new to it.

    All but the reading itself happens in the event loop.
    """

    def __init__(self, store: Path) -> None:
        """Watch the store in a folder."""
        self.store = store
        self.version = 0
        self.looked = 0.0
        """When somebody asked last, by the monotonic clock."""
        self.histories = Histories()
        self._files = Files()
        self._core_s = 0.0
        self._read_at = 0.0
        self._snapshot: Snapshot | None = None
        self._changed: dict[int, int] = {}
        self._gone: dict[int, int] = {}
        self._notes: deque[tuple[int, dict[str, Any]]] = deque(maxlen=_MOST_NOTES)
        self._news = asyncio.Event()
        self._reading = asyncio.Lock()

    async def snapshot(self) -> Snapshot:
        """Return a snapshot that is a few seconds old at most. Who comes after a while waits for it.

        Raises:
            ValueError: The store cannot be read.
        """
        self.looked = time.monotonic()
        if self._snapshot is None or self.looked - self._read_at > _FRESH_S:
            await self.look()
        if self._snapshot is None:
            raise ValueError(f"Received: {self.store}, which cannot be read. Expected: a store.")
        return self._snapshot

    async def run(self) -> None:
        """Look every second while somebody does. Ends when it is cancelled."""
        while True:
            start = time.monotonic()
            if start - self.looked < _IDLE_S:
                try:
                    await self.look()
                except (OSError, ValueError) as error:
                    self.note(str(error), is_error=True)
            took_s = time.monotonic() - start
            # By the time of the core, not of the clock: on a busy machine the page would fall far behind.
            await asyncio.sleep(max(EVERY_S - took_s, self._core_s * (_SHARE - 1), 0.05))

    async def look(self) -> None:
        """Read the store once, and wake those who wait for news.

        Raises:
            OSError, ValueError: It cannot be read.
        """
        async with self._reading:
            self._merge(await asyncio.to_thread(self._read))
            self._read_at = time.monotonic()

    def note(self, text: str, *, is_error: bool = False) -> None:
        """Tell all pages something."""
        note = {"text": text, "time": time.time(), "error": is_error}
        if self._notes and self._notes[-1][1]["text"] == text:
            return
        self.version += 1
        self._notes.append((self.version, note))
        self._wake()

    def whole(self) -> dict[str, Any]:
        """Return all that a page needs."""
        assert self._snapshot is not None  # noqa: S101 (callers have waited for `snapshot`)
        return {
            **self._snapshot.head,
            "version": self.version,
            "rows": list(self._snapshot.rows.values()),
        }

    def since(self, version: int) -> dict[str, Any] | None:
        """Return what a page that has a version needs, None if nothing."""
        if self._snapshot is None or version >= self.version:
            return None
        rows = self._snapshot.rows
        return {
            **self._snapshot.head,
            "version": self.version,
            "rows": [rows[number] for number, at in self._changed.items() if at > version],
            "gone": [number for number, at in self._gone.items() if at > version],
            "notes": [note for at, note in self._notes if at > version],
        }

    async def news(self, timeout_s: float) -> None:
        """Wait until something is new, or for a time."""
        self.looked = time.monotonic()
        waiting = self._news
        try:
            await asyncio.wait_for(waiting.wait(), timeout_s)
        except asyncio.TimeoutError:
            return

    def _read(self) -> Snapshot:
        start = time.thread_time()
        found = take_snapshot(read_view(self.store, files=self._files), self.histories)
        self._core_s = time.thread_time() - start
        return found

    def _merge(self, new: Snapshot) -> None:
        old = self._snapshot
        before = old.rows if old else {}
        changed = [number for number, row in new.rows.items() if before.get(number) != row]
        gone = [number for number in before if number not in new.rows]
        self._snapshot = new
        if not changed and not gone and old is not None and old.head == new.head:
            return
        self.version += 1
        for number in changed:
            self._changed[number] = self.version
            self._gone.pop(number, None)
        for number in gone:
            self._changed.pop(number, None)
            self._gone[number] = self.version
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
