"""Writes checkpoints in a thread of rank 0 while training continues. A failed write is reported as a warning."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

from ddl.data.order import Position
from ddl.distributed.watch.awaited import awaited
from ddl.training.checkpoint.checkpoint_file import Snapshot, write_checkpoint
from ddl.training.checkpoint.checkpoint_folder import (
    Retention,
    checkpoint_name,
    list_checkpoints,
    prune_checkpoints,
    remove_leftovers,
)

logger = logging.getLogger("ddl")


class CheckpointWriter:
    """Writes one snapshot at a time into a folder, then deletes the checkpoints that it supersedes.

    Not a daemon thread: a program that ends by an exception still finishes the file being written.
    """

    def __init__(self, folder: Path, retention: Retention) -> None:
        """Write into `folder`, which is created if needed."""
        self._folder, self._retention = folder, retention
        self._thread: threading.Thread | None = None
        self._written = True
        self._bug: BaseException | None = None
        remove_leftovers(folder)

    def submit(self, snapshot: Snapshot) -> None:
        """Start writing a snapshot and return. Waits first while an older one is being written.

        So at most one is held in memory besides the caller's. Its facts must have a position and a history.

        Raises:
            Exception: writing an older snapshot failed for another reason than the disk.
        """
        self.flush()
        self._thread = threading.Thread(
            target=self._run, args=(snapshot,), name="ddl checkpoint writer"
        )
        self._thread.start()

    def flush(self) -> bool:
        """Wait until nothing is being written. Return whether the last snapshot was written.

        Raises:
            Exception: the write failed for another reason than the disk.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        bug, self._bug = self._bug, None
        if bug is not None:
            raise bug
        return self._written

    def is_idle(self, timeout_s: float = 0.0) -> bool:
        """Wait at most this long, and return whether nothing is being written."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._thread is None or not self._thread.is_alive()

    def _run(self, snapshot: Snapshot) -> None:
        try:
            self._written = False
            position = Position(**snapshot.facts["position"])
            path = self._folder / checkpoint_name(position.epoch, position.step)
            with awaited():  # the snapshot is whole, so the death of a rank need not lose it
                self._written = self._write(path, snapshot)
            if self._written:
                self._prune(snapshot.facts["history"])
        except BaseException as bug:  # the next call in the main thread raises it
            self._bug = bug

    def _write(self, path: Path, snapshot: Snapshot) -> bool:
        try:
            write_checkpoint(path, snapshot)
        except OSError as error:
            before = [other.name for _, other in list_checkpoints(self._folder)]
            logger.warning(
                "Could not write checkpoint %s: %s. Training continues without it; %s.",
                path,
                error.strerror or error,
                f"the last good one is {before[-1]}" if before else "there is no earlier one",
            )
            return False
        return True

    def _prune(self, history: Any) -> None:
        try:
            prune_checkpoints(self._folder, self._retention, history)
        except OSError as error:
            logger.warning(
                "Could not delete the superseded checkpoint %s: %s.",
                error.filename or f"in {self._folder}",
                error.strerror or error,
            )
