"""The checkpoints of a run: their names, the one that `--resume` selects, and those to delete. No TensorFlow here."""

from __future__ import annotations

import contextlib
import logging
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.data.order import Position
from ddl.training.checkpoint.checkpoint_file import (
    Checkpoint,
    Snapshot,
    check_checkpoint,
    open_checkpoint,
)
from ddl.training.optimization.monitor import better_is

logger = logging.getLogger("ddl")

FOLDER = "checkpoints"
NOT_MONITORED = {"epoch", "seconds", "samples_per_s"}
_NAME = re.compile(r"epoch-(\d{4,})(?:-step-(\d{6,}))?\.h5")
_LEFTOVER = re.compile(r"\.\d+\.epoch-[\d\w-]+\.h5")

History = Sequence[Mapping[str, Any]]
Listed = list[tuple[Position, Path]]


def checkpoint_name(epoch: int, step: int = 0) -> str:
    """Return the file name of a checkpoint taken after `epoch` epochs and `step` steps of the next one."""
    return f"epoch-{epoch:04d}-step-{step:06d}.h5" if step else f"epoch-{epoch:04d}.h5"


def list_checkpoints(folder: Path) -> Listed:
    """Return the checkpoints in a folder, oldest first. Reads only names; skips temporary files of killed writers."""
    names = [(_NAME.fullmatch(path.name), path) for path in folder.glob("epoch-*.h5")]
    return sorted(
        (Position(int(match[1]), int(match[2] or 0)), path) for match, path in names if match
    )


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of killed writers. Only rank 0, which writes there, calls it."""
    for path in folder.glob(".*.h5"):
        if _LEFTOVER.fullmatch(path.name):
            path.unlink(missing_ok=True)


def set_newer_aside(folder: Path, position: Position) -> list[Path]:
    """Move checkpoints later than `position` into a folder of their own, and return their new paths.

    A run that resumes at `position` does not continue from them, but the next `--resume auto` would take the newest.
    """
    newer = [path for taken_at, path in list_checkpoints(folder) if taken_at > position]
    if not newer:
        return []
    number = next(n for n in range(1, 10**6) if not (folder / f"set-aside-{n}").exists())
    aside = folder / f"set-aside-{number}"
    aside.mkdir()
    moved = [path.rename(aside / path.name) for path in reversed(newer)]
    logger.warning(
        "Moved %d checkpoints later than %s to %s, because the run resumes before them. You may delete that folder.",
        len(moved),
        checkpoint_name(position.epoch, position.step),
        aside,
    )
    return moved


def find_checkpoint(
    run_dir: Path,
    resume: str,
    monitor: str = "val_loss",
    mode: str = "auto",
    *,
    flag: str = "--resume",
) -> Checkpoint | None:
    """Return the checkpoint that `--resume` selects, verified. Each file that is checked is read once.

    Args:
        run_dir: the run that resumes.
        resume: "40": the end of epoch 40. "auto": the newest intact one. "best": the epoch with the best value of
            `monitor`, among those whose files exist. Otherwise the path of a file, or of a run (its newest).
        monitor: a name in the history, such as "val_dice".
        mode: "min", "max", or "auto", which decides by the name.
        flag: the flag to name in errors.

    Returns:
        The checkpoint; None for "auto" where there is none, so that a new run starts.

    Raises:
        ValueError: no such checkpoint; lists the existing ones.
    """
    listed = list_checkpoints(run_dir / FOLDER)
    if resume == "auto":
        return _newest_intact(listed)
    if resume == "best":
        return _best(run_dir, listed, monitor, mode, flag)
    if resume.isdecimal():
        return _of_epoch(run_dir, listed, int(resume), flag)
    path = Path(resume)
    if path.is_file():
        return open_checkpoint(path)
    newest = _newest_intact(list_checkpoints(path / FOLDER) or list_checkpoints(path))
    if newest is None:
        raise ValueError(
            f"Received: {flag} {resume}, which is neither a checkpoint nor a run with checkpoints. Expected: auto, "
            f"best, a path or an epoch; {_listing(run_dir, listed)}."
        )
    return newest


@dataclass(frozen=True)
class Retention:
    """Which checkpoints of a run to keep.

    Attributes:
        keep_last: number of newest end-of-epoch checkpoints.
        keep_best: number of best ones by `monitor`; the earlier of equals. NaN is never best.
        keep_every_epochs: the end of every epoch divisible by this; 0 for none.
        monitor: a name in the history.
        mode: "min", "max" or "auto".
    """

    keep_last: int = 2
    keep_best: int = 1
    keep_every_epochs: int = 0
    monitor: str = "val_loss"
    mode: str = "auto"

    def superseded(self, positions: Iterable[Position], history: History) -> list[Position]:
        """Return those of the existing checkpoints that may be deleted, never the newest.

        One taken within an epoch is superseded by any newer one.
        """
        oldest_first, every = sorted(positions), self.keep_every_epochs
        ends = [position.epoch for position in oldest_first if not position.step]
        kept = set(ends[-self.keep_last :] if self.keep_last else [])
        kept |= set(best_epochs(ends, history, self.monitor, self.mode)[: self.keep_best])
        kept |= {epoch for epoch in ends if every and epoch % every == 0}
        return [at for at in oldest_first[:-1] if at.step or at.epoch not in kept]


def prune_checkpoints(folder: Path, retention: Retention, history: History) -> list[Path]:
    """Delete the superseded checkpoints, and return their paths. Rank 0 calls it after each write."""
    paths = dict(list_checkpoints(folder))
    gone = [paths[position] for position in retention.superseded(paths, history)]
    for path in gone:
        path.unlink(missing_ok=True)
    return gone


def best_epochs(epochs: Iterable[int], history: History, monitor: str, mode: str) -> list[int]:
    """Return the epochs that have a finite value, best first."""
    sign = -1 if better_is(monitor, mode) == "max" else 1
    values = {entry["epoch"]: entry.get(monitor) for entry in history}
    numbers = {
        epoch: sign * value
        for epoch in epochs
        if isinstance(value := values.get(epoch), int | float) and math.isfinite(value)
    }
    return sorted(numbers, key=lambda epoch: (numbers[epoch], epoch))


def read_best(folder: Path, history: History, monitor: str, mode: str) -> Snapshot | None:
    """Return the best epoch of the history that has an intact checkpoint; None if none has. Only rank 0 calls it.

    The log names it, and any better one that is damaged or missing.
    """
    ends = {
        position.epoch: path for position, path in list_checkpoints(folder) if not position.step
    }
    for epoch in best_epochs([entry["epoch"] for entry in history], history, monitor, mode):
        if epoch not in ends:
            logger.warning("Epoch %d, the best by %s, has no checkpoint.", epoch, monitor)
            continue
        try:
            snapshot = open_checkpoint(ends[epoch]).read()
        except ValueError as error:
            logger.warning("%s", error)
            continue
        logger.info("The final model is that of epoch %d, the best by %s.", epoch, monitor)
        return snapshot
    logger.warning(
        "No epoch with %s has a checkpoint: the final model has the last weights.", monitor
    )
    return None


def _newest_intact(listed: Listed) -> Checkpoint | None:
    problems: list[str] = []
    for _, path in reversed(listed):
        try:
            newest = open_checkpoint(path)
        except ValueError as error:
            problems.append(str(error))
        else:
            for problem in problems:
                logger.warning("%s", problem)
            return newest
    if listed:
        raise ValueError(
            f"Received: {listed[0][1].parent}, where all {len(listed)} checkpoints are damaged: "
            f"{problems[0].partition(' Expected')[0]} Expected: an intact one. Check the disk; to start a new run, "
            "choose a new --run-dir."
        )
    return None


def _of_epoch(run_dir: Path, listed: Listed, epoch: int, flag: str) -> Checkpoint:
    ends = {position.epoch: path for position, path in listed if not position.step}
    if epoch not in ends:
        raise ValueError(
            f"Received: {flag} {epoch}. Expected: auto, best, a path or an epoch; {_listing(run_dir, listed)}."
        )
    try:
        return open_checkpoint(ends[epoch])
    except ValueError as error:
        earlier = _first_intact(ends, [end for end in reversed(ends) if end < epoch])
        none = "There is no intact one before it."
        offer = none if earlier is None else f"{flag} {earlier} is intact."
        raise ValueError(f"{error} {offer}") from error


def _best(run_dir: Path, listed: Listed, monitor: str, mode: str, flag: str) -> Checkpoint:
    newest = _newest_intact(listed)
    if newest is None:
        raise ValueError(
            f"Received: {flag} best. Expected: auto or a path; {_listing(run_dir, listed)}."
        )
    history: History = newest.facts.get("history", [])
    ends = {position.epoch: path for position, path in listed if not position.step}
    ranking = best_epochs(ends, history, monitor, mode)
    if not ranking:
        known = sorted({name for entry in history for name in entry} - NOT_MONITORED)
        raise ValueError(
            f"Received: {flag} best by {monitor!r}, for which no checkpoint has a finite value. Expected: "
            f"{', '.join(known) or 'a finished epoch'}; {_listing(run_dir, listed)}."
        )
    if ends[ranking[0]] == newest.path:
        return newest
    try:
        return open_checkpoint(ends[ranking[0]])
    except ValueError as error:
        next_best = _first_intact(ends, ranking[1:])
        none = "No other checkpoint has a value."
        offer = none if next_best is None else f"The next best is {flag} {next_best}."
        raise ValueError(f"{error} {offer}") from error


def _first_intact(ends: Mapping[int, Path], epochs: Iterable[int]) -> int | None:
    """Return the first of these epochs whose checkpoint is intact."""
    for epoch in epochs:
        with contextlib.suppress(ValueError):
            check_checkpoint(ends[epoch])
            return epoch
    return None


def _listing(run_dir: Path, listed: Listed) -> str:
    """Return a list of the checkpoints, such as "run/checkpoints has epochs 1-3, 5 and epoch-0005-step-000010.h5"."""
    runs: list[list[int]] = []
    for epoch in (position.epoch for position, _ in listed if not position.step):
        if runs and epoch == runs[-1][1] + 1:
            runs[-1][1] = epoch
        else:
            runs.append([epoch, epoch])
    epochs = ", ".join(f"{a}-{b}" if a < b else str(a) for a, b in runs)
    parts = [f"epochs {epochs}"] if epochs else []
    parts += [path.name for position, path in listed if position.step]
    return f"{run_dir / FOLDER} has {' and '.join(parts) or 'none'}"
