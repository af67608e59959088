"""Applies the log of an asynchronous run in one process without Ray, and compares the weights with the run's.

The gradient of each line is computed again: on the version of the weights that the line read, of the samples of its
lease. Past versions are kept only while a later line reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ddl.asynchronous.audit.check import Differs, Extent, read_lines
from ddl.asynchronous.audit.lines import Line, Start
from ddl.asynchronous.audit.log import Mark, gradient_norm
from ddl.asynchronous.epoch_leases import EpochLeases, leases_before
from ddl.asynchronous.gradient import LeaseGradient
from ddl.asynchronous.keras_weights import KerasWeights, read_weights, write_weights
from ddl.asynchronous.replica import Replica, build_replica
from ddl.data.order import Position
from ddl.training.build import follow_plateau
from ddl.training.checkpoint.checkpoint_file import Checkpoint, open_checkpoint
from ddl.training.checkpoint.snapshot import restore_snapshot
from ddl.training.checkpoint.transfer import load_model
from ddl.training.data.training_data import TrainingData
from ddl.training.plan.plan import Plan

TOLERANCE = 1e-5
"""Largest difference of a weight, relative to the largest weight of its variable where that is above 1."""
_NOISE = 1e-6
"""Differences of marks beyond this are no rounding."""
_NORM_ERROR = 1e-3


@dataclass(frozen=True)
class Compared:
    """A file of the run and the replay at its version."""

    file: str
    version: int
    difference: float  # the largest of all weights
    weight: str  # that differs most


@dataclass
class Report:
    """The result of a replay.

    Attributes:
        problem: what differs, "" for nothing.
        line: the first line that differs; 0 for none.
        kept: most past versions that were kept at a time.
    """

    updates: int = 0
    workers: int = 0
    oldest: int = 0
    compared: list[Compared] = field(default_factory=list)
    problem: str = ""
    line: int = 0
    kept: int = 0

    @property
    def is_equal(self) -> bool:
        """Whether all compared weights are equal to the tolerance."""
        return not self.problem


@dataclass(frozen=True)
class Material:
    """What a replay needs of a run.

    Attributes:
        files: version -> the checkpoint that the run wrote there.
        facts: of a checkpoint, for preprocessing and history; None for a run without.
    """

    run_dir: Path
    plan: Plan
    data: TrainingData
    extent: Extent
    files: Mapping[int, Path]
    facts: Mapping[str, Any] | None = None
    final: Path | None = None


def replay(material: Material, show: Callable[[int], object] = bool) -> Report:
    """Apply the log of a run; `show` gets the number of updates that are done.

    Raises:
        ValueError: the data, the plan or a checkpoint are not those of the log.
    """
    return _Replay(material, show).run()


class _Replay:
    def __init__(self, material: Material, show: Callable[[int], object]) -> None:
        self._material, self._show = material, show
        self._extent = material.extent
        self._report = Report(0, len(self._extent.workers), self._extent.oldest)
        self._versions: dict[int, list[np.ndarray]] = {}  # those that later lines read
        self._mark = Mark()
        self._suspect: tuple[int, str] | None = None  # the first line beyond rounding
        self._last: Start | None = None
        self._version = 0

    def run(self) -> Report:
        """Replay all lines."""
        report = self._report
        try:
            for entry in read_lines(self._material.run_dir):
                if isinstance(entry, Start):
                    self._begin(entry)
                elif entry.written > self._extent.end:
                    break  # written since the log was checked
                else:
                    self._apply(entry)
                    report.updates += 1
                    self._show(report.updates)
                self._compare_here()
            self._compare_final()
        except Differs as error:
            report.problem, report.line = str(error), error.line
        return report

    def _begin(self, start: Start) -> None:
        last = self._last
        if last is None or start.order != last.order:
            self._prepare(start)
        elif start.version != self._version:
            self._load(start)
        self._last, self._version = start, start.version
        self._keep()

    def _prepare(self, start: Start) -> None:
        """Build the two models: one whose weights are trained, and one that computes gradients."""
        material, workers = self._material, start.order.size
        facts, is_new = material.facts, start.checkpoint is None
        trained = build_replica(material.plan, material.data, workers, facts, initial=is_new)
        own = trained.run.order
        if own != start.order:
            raise ValueError(
                f"Received: a log of {start.order}, but the plan and data give {own}. Expected: the data that the run "
                "was trained on."
            )
        if start.data != material.data.fingerprint:
            raise ValueError(
                "Received: other data than the log was written on. Expected: the same samples in the same order."
            )
        computing = build_replica(material.plan, material.data, workers, facts, initial=False)
        self._trained, self._computing = trained, computing.model
        self._gradient = LeaseGradient(computing.model, computing.run, material.data)
        self._leases = EpochLeases(start.order, start.position.epoch)
        self._load(start)
        self._follow(trained, start.position.epoch)

    def _load(self, start: Start) -> None:
        """Take the weights of a start."""
        updates: int | None = None
        if start.checkpoint is None:
            if leases_before(start.order, Position()) != start.version:
                raise ValueError(
                    f"Received: a start at version {start.version} from no checkpoint."
                )
        else:
            checkpoint = self._checkpoint_of(start)
            restore_snapshot(self._trained.model, checkpoint.read())
            updates = checkpoint.facts.get("asynchronous", {}).get("updates")
        self._weights = KerasWeights(self._trained.model, updates=updates)
        self._versions.clear()

    def _checkpoint_of(self, start: Start) -> Checkpoint:
        path = self._material.run_dir / str(start.checkpoint)
        if not path.is_file():
            raise ValueError(
                f"Received: a log that begins from {start.checkpoint}, which is gone. Expected: that checkpoint; "
                "--keep-every-epochs 1 keeps all of them."
            )
        return open_checkpoint(path)

    def _follow(self, trained: Replica, epoch: int) -> None:
        """Set the factor of a plateau as the run had it in this epoch."""
        history = (self._material.facts or {}).get("history", [])
        trained.run.history = [dict(values) for values in history[:epoch]]
        follow_plateau(trained.run, trained.learning_rate)

    def _apply(self, line: Line) -> None:
        if line.epoch != self._leases.epoch:
            self._leases = EpochLeases(self._leases.order, line.epoch)
            self._follow(self._trained, line.epoch)
        arrays = self._versions.get(line.read)
        if arrays is None:
            raise Differs(line.line, f"computed on version {line.read}, which is not in the log")
        write_weights(self._computing, arrays)
        push = self._gradient(self._leases.lease(line.lease))
        step = line.epoch * self._leases.order.steps_per_epoch
        step += min(self._steps_done(line), self._leases.order.steps_per_epoch)
        self._weights.apply(push, line.weight, step)
        self._version = line.written
        self._keep()
        self._judge(line, gradient_norm(push.gradients), push.loss)

    def _steps_done(self, line: Line) -> int:
        """Return the whole steps' worth of leases that the epoch has applied before this line."""
        applied = line.written - 1 - self._leases.first
        return applied // self._leases.order.size

    def _keep(self) -> None:
        """Keep the present version if a later line reads it, and drop those that none reads."""
        for version in [v for v in self._versions if self._extent.last_read(v) <= self._version]:
            del self._versions[version]
        if self._extent.last_read(self._version) > self._version:
            self._versions[self._version] = read_weights(self._trained.model)
        self._report.kept = max(self._report.kept, len(self._versions))

    def _judge(self, line: Line, norm: float, loss: float) -> None:
        """Compare what the line says of gradient and weights; the first line beyond rounding is kept as a suspect."""
        mark = self._mark(read_weights(self._trained.model))
        off = abs(mark - line.mark)
        if self._suspect is None and off > _NOISE * max(1.0, abs(mark)):
            other = abs(norm - line.norm) > _NORM_ERROR * max(norm, line.norm)
            other |= abs(loss - line.loss) > _NORM_ERROR * max(1.0, abs(loss))
            why = (
                f"the gradient of lease {line.lease} on version {line.read} has loss {loss:.6g} and norm {norm:.6g}, "
                f"but the log has {line.loss:.6g} and {line.norm:.6g}: it was computed on other weights or samples"
                if other
                else f"the weights after it differ by about {off:.1e}: the update was not applied, or not as logged"
            )
            self._suspect = line.line, why
        if off > TOLERANCE * max(1.0, abs(mark)):
            raise self._first_difference(
                line.line, f"the weights after it differ by about {off:.1e}"
            )

    def _first_difference(self, line: int, problem: str) -> Differs:
        return Differs(*(self._suspect or (line, problem)))

    def _compare_here(self) -> None:
        path = self._material.files.get(self._version)
        if path is None or any(found.version == self._version for found in self._report.compared):
            return
        try:
            snapshot = open_checkpoint(path).read()
        except ValueError:
            if path.exists():
                raise
            return  # the run has replaced it by a newer one
        stored = {name: values for _, layer in snapshot.weights for name, values in layer}
        own = {weight.path: weight.numpy() for weight in self._trained.model.weights}
        self._compare(path, own, stored)

    def _compare_final(self) -> None:
        path = self._material.final
        if path is None:
            return
        model = self._trained.model
        self._weights.finish()
        own = {weight.path: weight.numpy() for weight in model.weights}
        stored = load_model(path).get_weights()
        self._compare(path, own, dict(zip(own, stored, strict=True)))

    def _compare(
        self, path: Path, own: Mapping[str, np.ndarray], stored: Mapping[str, np.ndarray]
    ) -> None:
        worst, name, wrong = compare_weights(own, stored)
        file = str(path.relative_to(self._material.run_dir))
        self._report.compared.append(Compared(file, self._version, worst, name))
        if wrong:
            problem = f"{file} differs from the replay by {worst:.1e} in {name}"
            if self._suspect is None:
                raise Differs(0, problem)
            raise Differs(self._suspect[0], f"{self._suspect[1]}; {problem}")


def compare_weights(
    own: Mapping[str, np.ndarray], stored: Mapping[str, np.ndarray]
) -> tuple[float, str, bool]:
    """Return the largest difference, the weight where it is, and whether any is above the tolerance."""
    worst, name, wrong = 0.0, "", False
    for path, values in own.items():
        other = stored.get(path)
        if other is None or other.shape != values.shape:
            raise ValueError(
                f"Received: a checkpoint without the weight {path}. Expected: one of this run."
            )
        if not values.size:
            continue
        there, here = np.asarray(other, np.float64), np.asarray(values, np.float64)
        off = float(np.abs(there - here).max())
        wrong |= not off <= TOLERANCE * max(1.0, float(np.abs(here).max()))
        if not off <= worst:
            worst, name = off, path
    return worst, name, wrong
