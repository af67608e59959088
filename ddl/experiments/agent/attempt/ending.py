"""What an attempt leaves behind: its status with the last lines of its output, and its events."""

from __future__ import annotations

import glob
import itertools
import os
import time
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

from ddl.experiments.agent.layout import AttemptFolder
from ddl.experiments.agent.pace import now_s, paced
from ddl.experiments.agent.whole import append_line, write_json

TAIL_LINES = 40

GUARDIAN_S = 45.0
"""Within this time, the guardian of a killed agent has ended the command."""

_TAIL_BYTES = 1 << 16
_LINE_CHARACTERS = 400
_TRY_S = 600.0  # a full disk may have room again
_TRY_EVERY_S = 5.0
_MOST_FILES = 10_000
_EVENTS = {
    "finished": "finished",
    "diverged": "diverged",
    "refused": "refused",
    "stopped": "stopped",
    "paused": "stopped",
}


def tail(path: Path, most: int = TAIL_LINES) -> list[str]:
    """Return the last lines of a text file, [] where it is missing. Long lines are cut."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            data = file.read(_TAIL_BYTES)
    except OSError:
        return []
    # A bar that is redrawn by carriage returns is one line: what stood last.
    lines = [
        line.rstrip("\r").rpartition("\r")[2]
        for line in data.decode("utf-8", "replace").split("\n")
    ]
    lines = [
        line if len(line) <= _LINE_CHARACTERS else f"{line[:_LINE_CHARACTERS]}..." for line in lines
    ]
    while lines and not lines[-1].strip():
        lines.pop()
    return lines[-most:]


def tail_of(attempt: AttemptFolder) -> list[str]:
    """Return the last lines of an attempt's output, with more of its errors than of the rest."""
    errors = tail(attempt.err_log)
    if not errors:
        return tail(attempt.out_log)
    output = tail(attempt.out_log, max(TAIL_LINES - len(errors), TAIL_LINES // 4))
    return [*output, *errors[-(TAIL_LINES - len(output)) :]]


class Before:
    """The state of an experiment's files before its command starts, to tell afterwards whether it made progress."""

    def __init__(self, attempt: AttemptFolder, folder: Path, outputs: Sequence[str]) -> None:
        """Note sizes and times of what training writes, and the log. `outputs` are patterns below `folder`."""
        self._log = attempt.experiment.run_dir / "log.txt"
        self._run_dir, self._folder, self._outputs = attempt.experiment.run_dir, folder, outputs
        self._state, self._log_state = self._look(), _state_of(self._log)

    def last_log_line(self) -> str:
        """Return the last line of run/log.txt, "" where it was not written to since."""
        if _state_of(self._log) == self._log_state:
            return ""
        lines = tail(self._log, 1)
        return lines[0] if lines else ""

    def has_progress(self) -> bool:
        """Return whether a file other than the log has changed since."""
        return self._look() != self._state

    def _look(self) -> dict[str, Any]:
        return {str(path): _state_of(path) for path in itertools.islice(self._files(), _MOST_FILES)}

    def _files(self) -> Iterator[Path]:
        for path, _, names in os.walk(str(self._run_dir)):
            for name in sorted(names):
                if not name.startswith((".", "events.out.")) and Path(path, name) != self._log:
                    yield Path(path, name)
        for pattern in self._outputs:
            yield from map(Path, glob.iglob(str(self._folder / pattern)))  # noqa: PTH207 (may be absolute)


def _state_of(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def write_status(attempt: AttemptFolder, status: Mapping[str, Any]) -> bool:
    """Write status.json. On a full disk try for a while: without it, others wait for a lease to end."""
    start_s = now_s()
    while True:
        try:
            write_json(attempt.status, {"format": 1, **status})
        except OSError:
            if now_s() - start_s > paced(_TRY_S) or not attempt.path.is_dir():
                return False
            time.sleep(paced(_TRY_EVERY_S))
        else:
            return True


def event_of(outcome: str, final: bool) -> str:
    """Return the kind of event that an outcome is, "" for none. `final` says whether no attempt follows."""
    if outcome in _EVENTS:
        return _EVENTS[outcome]
    return "failed" if final and outcome not in ("superseded", "never started") else ""


def event_id(name: str, kind: str) -> str:
    """Return the id of an event: `ddl-1f2e3d4c-003-a1` -> `1f2e3d4c/003/a1/KIND`."""
    return f"{name[4:] if name.startswith('ddl-') else name}".replace("-", "/") + f"/{kind}"


def append_event(
    attempt: AttemptFolder, name: str, kind: str, text: str, details: Mapping[str, Any]
) -> None:
    """Add an event. Its id tells a repeat from another."""
    event = {"id": event_id(name, kind), "kind": kind.partition("/")[0], "time": time.time()}
    append_line(attempt.events, {**event, "text": text, "details": dict(details)})
