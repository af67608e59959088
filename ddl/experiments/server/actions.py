"""What the page's buttons do: a wish as of the verbs stop, pause, resume and retry, then a sync in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from ddl.experiments.engine import wishes
from ddl.experiments.engine.sync import sync
from ddl.experiments.server.watcher import Watcher
from ddl.experiments.store.view import read_view

WISHES: dict[str, wishes.Wish] = {
    "stop": wishes.stop,
    "pause": wishes.pause,
    "resume": wishes.resume,
    "retry": wishes.retry,
}


class Actions:
    """Carries out what pages ask for, one sync at a time."""

    def __init__(self, watcher: Watcher) -> None:
        """Act on the store that is watched."""
        self._watcher = watcher
        self._task: asyncio.Task[None] | None = None
        self._again = False

    async def ask(self, wish: str, numbers: Sequence[int]) -> dict[str, str]:
        """Note a wish for experiments, and begin to carry it out. Return the line about each.

        Raises:
            ValueError: The wish or an experiment is unknown; then nothing is asked.
        """
        if wish not in WISHES:
            raise ValueError(f"Received: {wish!r}. Expected one of: {', '.join(WISHES)}.")
        told = await asyncio.to_thread(_ask, self._watcher.store, wish, numbers)
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._carry_out())
        await self._watcher.look()
        return told

    async def _carry_out(self) -> None:
        while self._again:
            self._again = False
            try:
                report = await asyncio.to_thread(sync, self._watcher.store)
            except Exception as error:
                self._watcher.note(f"sync: {error}", is_error=True)
                continue
            for line in report.lines:
                self._watcher.note(line)


def _ask(store: Path, wish: str, numbers: Sequence[int]) -> dict[str, str]:
    items = {item.number: item for item in read_view(store).experiments}
    for number in numbers:
        if number not in items:
            raise ValueError(f"Received: experiment {number}. Expected: one of the store.")
    return {items[number].name: WISHES[wish](items[number]) for number in dict.fromkeys(numbers)}
