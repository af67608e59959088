"""The folder of a run: who may write into it, and its log."""

from __future__ import annotations

import errno
import logging
import logging.handlers
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ddl.files import check_folder, hold_folder

LOG_NAME = "log.txt"

_LOCK = ".lock"
_TRACES = ("plan.json", "history.jsonl", "model.keras")

logger = logging.getLogger("ddl")


def check_run_dir(path: Path, *, resume: bool) -> None:
    """Refuse a folder that cannot be written, and another run's unless it is resumed. Writes nothing.

    Raises:
        ValueError: in one line, with what to do.
    """
    if holds_run(path) and not resume:
        raise ValueError(
            f"Received: run_dir={path}, which holds a run already. Expected: a new folder. "
            "--resume auto continues that run; or name another --run-dir."
        )
    check_folder("run_dir", path)


def check_origin(path: Path, checkpoint: Path) -> None:
    """Refuse to go on from another run's checkpoint in a folder that holds a run of its own.

    Raises:
        ValueError: in one line, with what to do.
    """
    if holds_run(path) and path.resolve() not in checkpoint.resolve().parents:
        raise ValueError(
            f"Received: run_dir={path}, which holds a run already, to go on from {checkpoint}. Expected: a new folder "
            "for what comes of that checkpoint; or --resume auto, which continues the run that is there."
        )


@contextmanager
def claim_run_dir(path: Path, *, resume: bool) -> Iterator[None]:
    """Check and make the run's folder, and hold it for this job alone. Rank 0 alone calls it, before it writes.

    Raises:
        ValueError: in one line, with what to do.
    """
    check_run_dir(path, resume=resume)
    with hold_folder("run_dir", path, _LOCK, "training"):
        yield


def holds_run(path: Path) -> bool:
    """Return whether a run has left something in `path` that another one would overwrite."""
    try:
        checkpoints = any((path / "checkpoints").iterdir())
    except OSError:
        checkpoints = False
    return checkpoints or any(os.path.lexists(path / name) for name in _TRACES)


class RunLog(logging.FileHandler):
    """Writes `log.txt`, with times; a full disk ends the log and not the training."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8")
        self.setFormatter(logging.Formatter("%(asctime)s  %(levelname)s  %(message)s"))
        self._failed = False

    def write_line(self, text: str) -> None:
        """Write a line here alone, such as an epoch's, which the terminal has got already."""
        self.handle(logger.makeRecord(logger.name, logging.INFO, "", 0, text, (), None))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say once that the log cannot be written; a mistake in a message keeps its traceback."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._failed:
            self._failed = True
            sys.stderr.write(f"{self.baseFilename} cannot be written ({error.strerror})\n")


class EarlyLines(logging.handlers.MemoryHandler):
    """Keeps what `ddl` logs before there is a folder for it, and hands it to the run's log, with its times."""

    def __init__(self) -> None:
        super().__init__(capacity=1000, flushLevel=logging.CRITICAL + 1, flushOnClose=False)
        logger.addHandler(self)

    def hand_over(self, log: RunLog | None) -> None:
        """Write what was kept into the log, where there is one, and keep no more."""
        logger.removeHandler(self)
        self.setTarget(log)
        self.flush()
        self.close()


@contextmanager
def open_log(run_dir: Path) -> Iterator[RunLog]:
    """Write what `ddl` logs into the run's `log.txt`, too, behind what earlier starts wrote. Rank 0 alone calls it."""
    log = RunLog(run_dir / LOG_NAME)
    handlers: list[logging.Handler] = [log]
    if not logger.hasHandlers():
        # A handler of ours takes away the last resort, by which warnings reach people who set up no logging.
        handlers.append(logging.StreamHandler())
        handlers[-1].setLevel(logging.WARNING)
    level = logger.level
    if not logger.isEnabledFor(logging.INFO):
        logger.setLevel(logging.INFO)
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield log
    finally:
        logger.setLevel(level)
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()


@contextmanager
def spare_training(what: str) -> Iterator[None]:
    """Turn a failed write of `what` (curves, pictures, events) into one warning: the training is worth more.

    Only for what the next write makes good.
    """
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some space" if full else "see to it"
        logger.warning(
            "%s cannot be written (%s). Training goes on; %s.",
            what,
            error.strerror or error,
            remedy,
        )
