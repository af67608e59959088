"""The checkpoints of a run: their names, the one that `--resume` selects, and those to delete. No TensorFlow here."""

from __future__ import annotations

import contextlib
import logging
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ddl.data.order import Position
from ddl.training.checkpoint.checkpoint_file import Checkpoint, check_checkpoint, open_checkpoint
from ddl.training.optimization.monitor import better_is

logger = logging.getLogger("ddl")

FOLDER = "checkpoints"
_NAME = re.compile(r"epoch-(\d{4,})(?:-step-(\d{6,}))?\.h5")
_LEFTOVER = re.compile(r"\.\d+\.epoch-[\d\w-]+\.h5")

History = Sequence[Mapping[str, Any]]
Found = list[tuple[Position, Path]]


def checkpoint_name(epoch: int, step: int = 0) -> str:
    """Return the file name of a checkpoint taken after `epoch` epochs and `step` steps of the next one."""
    return f"epoch-{epoch:04d}-step-{step:06d}.h5" if step else f"epoch-{epoch:04d}.h5"


def list_checkpoints(folder: Path) -> Found:
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
    newer = [path for found, path in list_checkpoints(folder) if found > position]
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
    found = list_checkpoints(run_dir / FOLDER)
    if resume == "auto":
        return _newest_good(found)
    if resume == "best":
        return _best(run_dir, found, monitor, mode, flag)
    if resume.isdecimal():
        return _of_epoch(run_dir, found, int(resume), flag)
    path = Path(resume)
    if path.is_file():
        return open_checkpoint(path)
    newest = _newest_good(list_checkpoints(path / FOLDER) or list_checkpoints(path))
    if newest is None:
        raise ValueError(
            f"Received: {flag} {resume}, which is neither a checkpoint nor a run with checkpoints. Expected: auto, "
            f"best, a path or an epoch; {_listing(run_dir, found)}."
        )
    return newest


def superseded(
    positions: Iterable[Position],
    *,
    keep_last: int,
    keep_best: int,
    keep_every_epochs: int,
    history: History,
    monitor: str,
    mode: str,
) -> list[Position]:
    """Return the checkpoints that may be deleted, never the newest.

    Args:
        positions: the existing checkpoints. One taken within an epoch is superseded by any newer one.
        keep_last: number of newest end-of-epoch checkpoints to keep.
        keep_best: number of best ones by `monitor` to keep; the earlier of equals. NaN is never best.
        keep_every_epochs: keep the end of every epoch divisible by this; 0 for none.
        history: one dict per epoch, with "epoch" counted from 1.
        monitor: a name in the history.
        mode: "min", "max" or "auto".
    """
    there = sorted(positions)
    ends = [position.epoch for position in there if not position.step]
    kept = set(ends[-keep_last:] if keep_last else [])
    kept |= set(best_epochs(ends, history, monitor, mode)[:keep_best])
    kept |= {epoch for epoch in ends if keep_every_epochs and epoch % keep_every_epochs == 0}
    return [position for position in there[:-1] if position.step or position.epoch not in kept]


def prune_checkpoints(folder: Path, **policy: Any) -> list[Path]:
    """Delete the checkpoints that `superseded` returns, and return their paths. Rank 0 calls it after each write."""
    paths = dict(list_checkpoints(folder))
    gone = [paths[position] for position in superseded(paths, **policy)]
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
        if (value := values.get(epoch)) is not None and math.isfinite(value)
    }
    return sorted(numbers, key=lambda epoch: (numbers[epoch], epoch))


def _newest_good(found: Found) -> Checkpoint | None:
    problems: list[str] = []
    for _, path in reversed(found):
        try:
            newest = open_checkpoint(path)
        except ValueError as error:
            problems.append(str(error))
        else:
            for problem in problems:
                logger.warning("%s", problem)
            return newest
    if found:
        raise ValueError(
            f"Received: {found[0][1].parent}, where all {len(found)} checkpoints are damaged: "
            f"{problems[0].partition(' Expected')[0]} Expected: an intact one. Check the disk; to start a new run, "
            "choose a new --run-dir."
        )
    return None


def _of_epoch(run_dir: Path, found: Found, epoch: int, flag: str) -> Checkpoint:
    path = dict(found).get(Position(epoch))
    if path is None:
        raise ValueError(
            f"Received: {flag} {epoch}. Expected: auto, best, a path or an epoch; {_listing(run_dir, found)}."
        )
    try:
        return open_checkpoint(path)
    except ValueError as error:
        ends = {at.epoch: path for at, path in found if not at.step}
        earlier = _first_good(ends, [end for end in reversed(ends) if end < epoch])
        offer = (
            "There is no intact one before it."
            if earlier is None
            else f"{flag} {earlier} is intact."
        )
        raise ValueError(f"{error} {offer}") from error


def _best(run_dir: Path, found: Found, monitor: str, mode: str, flag: str) -> Checkpoint:
    newest = _newest_good(found)
    if newest is None:
        raise ValueError(
            f"Received: {flag} best. Expected: auto or a path; {_listing(run_dir, found)}."
        )
    history: History = newest.facts["history"]
    ends = {position.epoch: path for position, path in found if not position.step}
    ranking = best_epochs(ends, history, monitor, mode)
    if not ranking:
        known = sorted({name for entry in history for name in entry} - {"epoch", "seconds"})
        raise ValueError(
            f"Received: {flag} best by {monitor!r}, for which no checkpoint has a finite value. Expected: "
            f"{', '.join(known) or 'a finished epoch'}; {_listing(run_dir, found)}."
        )
    if ends[ranking[0]] == newest.path:
        return newest
    try:
        return open_checkpoint(ends[ranking[0]])
    except ValueError as error:
        good = _first_good(ends, ranking[1:])
        offer = (
            "No other checkpoint has a value."
            if good is None
            else f"The next best is {flag} {good}."
        )
        raise ValueError(f"{error} {offer}") from error


def _first_good(ends: Mapping[int, Path], epochs: Iterable[int]) -> int | None:
    """Return the first of these epochs whose checkpoint is intact."""
    for epoch in epochs:
        with contextlib.suppress(ValueError):
            check_checkpoint(ends[epoch])
            return epoch
    return None


def _listing(run_dir: Path, found: Found) -> str:
    """Return a list of the checkpoints, such as "run/checkpoints has epochs 1-3, 5 and epoch-0005-step-000010.h5"."""
    runs: list[list[int]] = []
    for epoch in (position.epoch for position, _ in found if not position.step):
        if runs and epoch == runs[-1][1] + 1:
            runs[-1][1] = epoch
        else:
            runs.append([epoch, epoch])
    epochs = ", ".join(f"{a}-{b}" if a < b else str(a) for a, b in runs)
    parts = [f"epochs {epochs}"] if epochs else []
    parts += [path.name for position, path in found if position.step]
    return f"{run_dir / FOLDER} has {' and '.join(parts) or 'none'}"
