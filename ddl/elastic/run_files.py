"""What a run's own files tell about a job: its newest checkpoint, and its last words."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from ddl.data.order import Position
from ddl.elastic.state import BAD_INPUT, DIVERGED, DONE, STOPPED
from ddl.training.checkpoint.checkpoint_folder import FOLDER, list_checkpoints
from ddl.training.record.run_dir import LOG_NAME

_TAIL_BYTES = 4096
_STOPPED = "Stopped by "
_LIMIT = "Stopped by time_limit_min="


@dataclass(frozen=True)
class Look:
    """What the files of a run say at one moment. `checkpoint_s` is when the newest one was written (time.time)."""

    position: Position | None = None
    name: str = ""
    checkpoint_s: float = 0.0
    log_bytes: int = 0


def look(run_dir: Path) -> Look:
    """Return what the run's files say now. Reads only names and sizes."""
    log_bytes, position, name, written_s = 0, None, "", 0.0
    with contextlib.suppress(OSError):
        log_bytes = (run_dir / LOG_NAME).stat().st_size
    with contextlib.suppress(OSError):
        found = list_checkpoints(run_dir / FOLDER)
        if found:
            position, path = found[-1]
            name, written_s = path.name, path.stat().st_mtime
    return Look(position, name, written_s, log_bytes)


def last_words(run_dir: Path, since_bytes: int) -> str:
    """Return the last line of the run's log, "" if nothing was added since it had this size."""
    path = run_dir / LOG_NAME
    try:
        size = path.stat().st_size
        if size <= since_bytes:
            return ""
        with path.open("rb") as file:
            file.seek(max(since_bytes, size - _TAIL_BYTES))
            lines = file.read(_TAIL_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


def meaning(status: int, words: str) -> tuple[int, bool]:
    """Return a job's exit status as the script means it, and whether the run's own time limit stopped it.

    Not every launcher passes the script's status on; the last line of its log says what it was.
    """
    limit = _LIMIT in words
    if status in (DONE, BAD_INPUT, DIVERGED):
        return status, False
    if _STOPPED in words:
        return STOPPED, limit
    return (128 - status if status < 0 else status), limit


def has_progressed(before: Look, after: Look) -> bool:
    """Return whether there is a newer checkpoint than before."""
    if after.position is None:
        return False
    return before.position is None or after.position > before.position
