"""Reads the log of updates line by line, and checks what needs no weights: versions, leases, ages. No TensorFlow."""

from __future__ import annotations

import array
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ddl.asynchronous.audit.lines import Line, Start, entry_of, texts_of
from ddl.asynchronous.audit.log import NAME
from ddl.asynchronous.epoch_leases import (
    leases_per_epoch,
    part_sizes,
)
from ddl.data.order import SampleOrder

_WEIGHT_ERROR = 1e-9


class Differs(Exception):
    """The log cannot be what happened in training, or the weights are not those of the log."""

    def __init__(self, line: int, problem: str) -> None:
        """Say what is wrong in a line; 0 for none in particular."""
        super().__init__(f"line {line}: {problem}" if line else problem)
        self.line = line


@dataclass
class Extent:
    """What a checked log holds.

    Attributes:
        updates: lines of updates.
        end: version after the last line.
        workers: names of those whose updates were applied.
        cut: whether the last line was being written.
        last_reads: version - base -> the version that the last update computed on it wrote.
    """

    starts: list[Start] = field(default_factory=list)
    updates: int = 0
    end: int = 0
    workers: set[str] = field(default_factory=set)
    cut: bool = False
    oldest: int = 0
    last_reads: array.array[int] = field(default_factory=lambda: array.array("q"))

    @property
    def base(self) -> int:
        """Version of the first start."""
        return self.starts[0].version

    def last_read(self, version: int) -> int:
        """Return the version that the last update computed on this version wrote; 0 for none."""
        place = version - self.base
        return self.last_reads[place] if 0 <= place < len(self.last_reads) else 0

    def note(self, line: Line) -> None:
        """Take an update into account."""
        self.updates += 1
        self.end = line.written
        self.workers.add(line.worker)
        self.oldest = max(self.oldest, line.written - 1 - line.read)
        missing = line.read - self.base + 1 - len(self.last_reads)
        self.last_reads.extend([0] * missing if missing > 0 else [])
        self.last_reads[line.read - self.base] = line.written


def read_lines(run_dir: Path, extent: Extent | None = None) -> Iterator[Start | Line]:
    """Yield the lines of a run's log, checked one after the other.

    A last line without an end is left out: the run is writing it, or was killed meanwhile.

    Args:
        run_dir: of the run.
        extent: gets what the log holds.

    Raises:
        ValueError: the file is no such log, or damaged; names the line.
        Differs: it is a log, but not of what training does; names the line.
    """
    path = run_dir / NAME
    found, checker = extent or Extent(), _Checker()
    for number, text in texts_of(path):
        if not text.endswith("\n"):
            found.cut = True
            break
        entry = entry_of(path, number, text)
        if isinstance(entry, Start):
            checker.begin(entry)
            found.starts.append(entry)
            found.end = entry.version
        else:
            checker.take(entry, path)
            found.note(entry)
        yield entry
    if not found.starts:
        raise ValueError(
            f"Received: {path} without a start. Expected: the log of an asynchronous run."
        )


def check_log(run_dir: Path) -> Extent:
    """Check the whole log; returns and raises as `read_lines` does."""
    extent = Extent()
    for _ in read_lines(run_dir, extent):
        pass
    return extent


class _Checker:
    """Follows versions and leases from line to line."""

    def __init__(self) -> None:
        self._start: Start | None = None
        self._version = 0
        self._first = 0  # the oldest version that a line may have read
        self._epoch = 0
        self._by_lease: array.array[int] = array.array("q")  # line that applied each of the epoch
        self._left = 0

    def begin(self, start: Start) -> None:
        """Take a start: the first one, one that goes on, or one after updates of another mode."""
        if self._start is not None:
            if start.version < self._version:
                raise Differs(
                    start.line,
                    f"a start at version {start.version} after version {self._version}: what is after a start's "
                    "checkpoint is set aside",
                )
            if start.version > self._version and start.checkpoint is None:
                raise Differs(
                    start.line,
                    f"a start at version {start.version} after version {self._version} from no checkpoint: updates "
                    "between them are missing",
                )
            goes_on = start.version == self._version and start.order == self._start.order
            if goes_on and not self._is_prefix(start.position.step * start.order.size):
                raise Differs(start.line, "a start within a step: leases before it are not applied")
            if not goes_on:
                self._first = start.version
        else:
            self._first = start.version
        self._start, self._version = start, start.version
        self._open(start.position.epoch, start.position.step * start.order.size)

    def take(self, line: Line, path: Path) -> None:
        """Check an update."""
        start, number = self._start, line.line
        if start is None:
            raise ValueError(
                f"Received: {path}, line {number}, an update before any start. Expected: a start first."
            )
        if line.written != self._version + 1:
            raise Differs(
                number, f"version {line.written} follows version {self._version}: a version gap"
            )
        if line.read > self._version:
            raise Differs(
                number, f"computed on version {line.read}, which is not before {line.written}"
            )
        if line.read < self._first:
            raise Differs(
                number, f"computed on version {line.read}, before the start at {self._first}"
            )
        age = self._version - line.read
        if start.rules.too_old(age):
            raise Differs(number, f"age {age} is above the run's max_staleness={start.rules.bound}")
        self._check_lease(start, line)
        expected = start.rules.weight(_share(start.order, line.step, line.part), age)
        if not math.isclose(line.weight, expected, rel_tol=_WEIGHT_ERROR):
            raise Differs(
                number, f"weight {line.weight:g} of age {age}, where {expected:g} is right"
            )
        self._version += 1

    def _check_lease(self, start: Start, line: Line) -> None:
        per_epoch = leases_per_epoch(start.order)
        if not self._left:
            self._open(self._epoch + 1, 0)
        place = line.lease - self._epoch * per_epoch
        if not 0 <= place < per_epoch:
            if 0 <= line.lease < self._epoch * per_epoch:
                before = line.lease // per_epoch + 1
                problem = f"lease {line.lease} again, of epoch {before}, which is complete"
            else:
                problem = (
                    f"lease {line.lease} of a later epoch, while {self._left} leases of epoch {self._epoch + 1} "
                    "are not applied"
                )
            raise Differs(line.line, problem)
        step, part = divmod(place, start.order.size)
        if (line.epoch, line.step, line.part) != (self._epoch, step, part):
            raise Differs(
                line.line,
                f"lease {line.lease} as part {line.part} of step {line.step} of epoch {line.epoch}, where it is part "
                f"{part} of step {step} of epoch {self._epoch}",
            )
        if self._by_lease[place]:
            raise Differs(
                line.line,
                f"lease {line.lease} is applied twice, first by line {self._by_lease[place]}"
                if self._by_lease[place] > 0
                else f"lease {line.lease} is applied twice, first before the checkpoint of the start",
            )
        self._by_lease[place] = line.line
        self._left -= 1

    def _open(self, epoch: int, applied: int) -> None:
        if self._start is None:
            return
        per_epoch = leases_per_epoch(self._start.order)
        self._epoch, self._left = epoch, per_epoch - applied
        self._by_lease = array.array("q", [-1] * applied + [0] * self._left)

    def _is_prefix(self, applied: int) -> bool:
        if not applied and not self._left:
            return True  # the end of an epoch is the start of the next
        return all(self._by_lease[:applied]) and not any(self._by_lease[applied:])


def _share(order: SampleOrder, step: int, part: int) -> float:
    sizes = part_sizes(order, step)
    return sizes[part] / sum(sizes)
