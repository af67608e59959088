"""The folder of a run: access for one job at a time, and its log."""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import logging.handlers
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ddl.files import check_folder, open_to_append
from ddl.files.locks import hold_folder
from ddl.plain_text import escaped, tell

LOG_NAME = "log.txt"

_LOCK = ".lock"
_TRACES = ("plan.json", "history.jsonl", "model.keras")

_FILES = (
    *("curves.png", "facts.json", "history.csv", "history.jsonl", LOG_NAME, "model.keras"),
    *("network.json", "plan.json", "preprocessing.json", "samples.png"),
    *("probe.jsonl", "probe.png"),
)

logger = logging.getLogger("ddl")


def check_run_dir(path: Path, *, resume: bool) -> None:
    """Refuse a folder that cannot be written, or that holds a run and is not resumed. Writes nothing."""
    if holds_run(path) and not resume:
        raise ValueError(
            f"Received: run_dir={path}, which already holds a run. Expected: a new folder. "
            "To continue that run, use --resume auto; otherwise choose another --run-dir."
        )
    check_folder("run_dir", path)


def check_origin(path: Path, checkpoint: Path) -> None:
    """Refuse to resume from another run's checkpoint in a folder that already holds a run."""
    if holds_run(path) and path.resolve() not in checkpoint.resolve().parents:
        raise ValueError(
            f"Received: run_dir={path}, which already holds a run, to resume from {checkpoint}. Expected: a new folder "
            "for a run that starts from that checkpoint; or --resume auto, which continues the existing run."
        )


@contextmanager
def claim_run_dir(path: Path, *, resume: bool) -> Iterator[None]:
    """Check, create and lock the run's folder for this job. Only rank 0 calls it, before it writes."""
    check_run_dir(path, resume=resume)
    with hold_folder("run_dir", path, _LOCK, "training"):
        yield


def holds_run(path: Path) -> bool:
    """Return whether `path` holds files of a run that another run would overwrite."""
    try:
        checkpoints = any((path / "checkpoints").iterdir())
    except OSError:
        checkpoints = False
    return checkpoints or any(os.path.lexists(path / name) for name in _TRACES)


def check_no_run_file(name: str, path: Path | None) -> None:
    """Refuse the output of the setting `name` where it would replace a file of a run. None passes.

    Raises:
        ValueError: it has the name of such a file, in a run directory.
    """
    if path is not None and path.name.lower() in _FILES and holds_run(path.parent):
        raise ValueError(
            f"Received: {name}={path}, which is a file of a run. Expected: another name, such as "
            f"{path.with_stem(f'evaluation-{path.stem}').name}."
        )


def lock_identity(path: Path) -> tuple[int, int] | None:
    """Return numbers that tell the lock of a run directory from any other; None where there is none."""
    try:
        status = (path / _LOCK).lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


class RunLog(logging.FileHandler):
    """Writes `log.txt` with times. On a full disk the log ends, but training continues."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace")
        self.setFormatter(logging.Formatter("%(asctime)s  %(levelname)s  %(message)s"))
        self._failed = False

    def _open(self) -> io.TextIOWrapper:
        return open_to_append(Path(self.baseFilename))

    def reopen(self) -> None:
        """Write to a new file of the same name, because the old one was deleted."""
        with contextlib.suppress(OSError):
            self.close()
            self.stream = self._open()

    def write_line(self, text: str) -> None:
        """Write a line to the file only, such as an epoch's, which the terminal already shows."""
        self.handle(logger.makeRecord(logger.name, logging.INFO, "", 0, escaped(text), (), None))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Report once that the log cannot be written. A programming error in a message keeps its traceback."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._failed:
            self._failed = True
            tell(
                f"Could not write {self.baseFilename}: {error.strerror}. Training continues without the log."
            )


class EarlyLines(logging.handlers.MemoryHandler):
    """Keeps what `ddl` logs before the run's folder exists, then passes it to the run's log, with its times."""

    def __init__(self) -> None:
        super().__init__(capacity=1000, flushLevel=logging.CRITICAL + 1, flushOnClose=False)
        logger.addHandler(self)

    def hand_over(self, log: RunLog | None) -> None:
        """Write the kept lines into the log, if there is one, and stop keeping lines."""
        logger.removeHandler(self)
        self.setTarget(log)
        self.flush()
        self.close()


@contextmanager
def open_log(run_dir: Path) -> Iterator[RunLog]:
    """Append what `ddl` logs to the run's `log.txt` too, after earlier starts. Only rank 0 calls it."""
    log = RunLog(run_dir / LOG_NAME)
    handlers: list[logging.Handler] = [log]
    if not logger.hasHandlers():
        # With our handler, Python no longer prints warnings for users who have not set up logging, so do it here.
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
    """Turn a failed write of `what` (curves, pictures, events) into one warning, so that training continues.

    Use it only for files that the next write replaces or completes.
    """
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some space" if full else "check the disk"
        logger.warning(
            "Could not write %s: %s. Training continues; %s.",
            what,
            error.strerror or error,
            remedy,
        )
