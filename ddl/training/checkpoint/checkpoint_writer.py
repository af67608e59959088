"""Checkpoints written beside the training, by a thread of rank 0. A failed one is told, and training goes on."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

from ddl.data.order import Position
from ddl.training.checkpoint.checkpoint_file import Snapshot, write_checkpoint
from ddl.training.checkpoint.checkpoint_folder import (
    checkpoint_name,
    list_checkpoints,
    prune_checkpoints,
    remove_leftovers,
)
from ddl.training.optimization.monitor import better_is

logger = logging.getLogger("ddl")


class CheckpointWriter:
    """Writes one snapshot at a time into a folder, and then removes what it supersedes.

    Not a daemon: a program that ends by an exception still finishes the file that it is writing.
    """

    def __init__(
        self,
        folder: Path,
        *,
        keep_last: int = 2,
        keep_best: int = 1,
        keep_every_epochs: int = 0,
        monitor: str = "val_loss",
        mode: str = "auto",
    ) -> None:
        """Take over a folder, which need not exist yet. The keywords are those of `checkpoints.superseded`."""
        self._folder = folder
        self._policy = {
            "keep_last": keep_last,
            "keep_best": keep_best,
            "keep_every_epochs": keep_every_epochs,
            "monitor": monitor,
            "mode": better_is(monitor, mode),
        }
        self._thread: threading.Thread | None = None
        self._written = True
        self._bug: BaseException | None = None
        remove_leftovers(folder)

    def submit(self, snapshot: Snapshot) -> None:
        """Have a snapshot written, and return. Waits first while an older one is being written.

        So no more than one is held in memory besides the caller's. Its facts must have a position and a history.

        Raises:
            Exception: what went wrong with an older one that no disk is to blame for.
        """
        self.flush()
        self._thread = threading.Thread(
            target=self._run, args=(snapshot,), name="ddl checkpoint writer"
        )
        self._thread.start()

    def flush(self) -> bool:
        """Wait until nothing is being written, and return whether the last snapshot is safe.

        Raises:
            Exception: what went wrong with it, where no disk is to blame.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        bug, self._bug = self._bug, None
        if bug is not None:
            raise bug
        return self._written

    def is_idle(self, timeout_s: float = 0.0) -> bool:
        """Return whether nothing is being written, waiting so long for it at most."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._thread is None or not self._thread.is_alive()

    def close(self) -> bool:
        """Wait as `flush` does. The writer can still be used."""
        return self.flush()

    def _run(self, snapshot: Snapshot) -> None:
        try:
            self._written = False
            position = Position(**snapshot.facts["position"])
            path = self._folder / checkpoint_name(position.epoch, position.step)
            self._written = self._write(path, snapshot)
            if self._written:
                self._prune(snapshot.facts["history"])
        except BaseException as bug:  # for whoever comes next: a thread has no one to raise to
            self._bug = bug

    def _write(self, path: Path, snapshot: Snapshot) -> bool:
        try:
            write_checkpoint(path, snapshot)
        except OSError as error:
            before = [other.name for _, other in list_checkpoints(self._folder)]
            logger.warning(
                "Received: %s for %s. Training goes on without this checkpoint; %s.",
                error.strerror or error,
                path,
                f"the last good one is {before[-1]}" if before else "there is none before it",
            )
            return False
        return True

    def _prune(self, history: Any) -> None:
        try:
            prune_checkpoints(self._folder, history=history, **self._policy)
        except OSError as error:
            logger.warning("Received: %s. A checkpoint that has had its day stays.", error)
