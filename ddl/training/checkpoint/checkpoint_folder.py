"""The checkpoints of a run: their names, which one `--resume` means, and which have had their day. No TensorFlow."""

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
    """Return the name of the file that is written when `epoch` epochs are done, and `step` steps of the next."""
    return f"epoch-{epoch:04d}-step-{step:06d}.h5" if step else f"epoch-{epoch:04d}.h5"


def list_checkpoints(folder: Path) -> Found:
    """Return the checkpoints in a folder, oldest first, by name alone; not what killed writers left."""
    names = [(_NAME.fullmatch(path.name), path) for path in folder.glob("epoch-*.h5")]
    return sorted(
        (Position(int(match[1]), int(match[2] or 0)), path) for match, path in names if match
    )


def remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left. Only for who is about to write there: rank 0."""
    for path in folder.glob(".*.h5"):
        if _LEFTOVER.fullmatch(path.name):
            path.unlink(missing_ok=True)


def set_newer_aside(folder: Path, position: Position) -> list[Path]:
    """Move the checkpoints after `position` out of the way of a run that goes on from there; return where they are.

    Left where they are, they would be the newest when the run is resumed again, though they are of another future.
    """
    newer = [path for found, path in list_checkpoints(folder) if found > position]
    if not newer:
        return []
    number = next(n for n in range(1, 10**6) if not (folder / f"set-aside-{n}").exists())
    aside = folder / f"set-aside-{number}"
    aside.mkdir()
    moved = [path.rename(aside / path.name) for path in reversed(newer)]
    logger.warning(
        "%d checkpoints after %s are now in %s, since the run goes on from before them; you may delete that folder.",
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
    """Return the checkpoint that `--resume` means, verified. Each file that has to be looked at is read once.

    Args:
        run_dir: of the run that resumes.
        resume: "40": of the end of epoch 40. "auto": the newest good one. "best": of the epoch with the best value of
            `monitor`, among those whose files are there. Else the path of a file, or of a run, whose newest one it is.
        monitor: a name in the history, such as "val_dice".
        mode: "min", "max", or "auto", which knows by the name whether more is better.
        flag: by which it was asked for.

    Returns:
        The checkpoint; None for "auto" where there is none, so that a run starts.

    Raises:
        ValueError: with what there is instead.
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
            f"Received: {flag} {resume}, which is neither a checkpoint nor a run with one. Expected: auto, best, a "
            f"path or an epoch; {_listing(run_dir, found)}."
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
    """Return which checkpoints may go. Never the newest.

    Args:
        positions: those that are there. One in the middle of an epoch goes as soon as there is a newer one.
        keep_last: how many of the newest ends of epochs stay.
        keep_best: how many of the best by `monitor` stay; the earlier of equals. What is no number is never best.
        keep_every_epochs: of which epochs' multiples the ends stay for good; 0 for none.
        history: a dict an epoch, with "epoch" counted from 1.
        monitor: a name in it.
        mode: "min", "max" or "auto".
    """
    there = sorted(positions)
    ends = [position.epoch for position in there if not position.step]
    kept = set(ends[-keep_last:] if keep_last else [])
    kept |= set(best_epochs(ends, history, monitor, mode)[:keep_best])
    kept |= {epoch for epoch in ends if keep_every_epochs and epoch % keep_every_epochs == 0}
    return [position for position in there[:-1] if position.step or position.epoch not in kept]


def prune_checkpoints(folder: Path, **policy: Any) -> list[Path]:
    """Remove what `superseded` names, given its keywords, and return it. Rank 0 calls it once a newer one is whole."""
    paths = dict(list_checkpoints(folder))
    gone = [paths[position] for position in superseded(paths, **policy)]
    for path in gone:
        path.unlink(missing_ok=True)
    return gone


def best_epochs(epochs: Iterable[int], history: History, monitor: str, mode: str) -> list[int]:
    """Return those of the epochs that have a value, best first."""
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
            f"Received: {found[0][1].parent}, where none of {len(found)} checkpoints is whole: "
            f"{problems[0].partition(' Expected')[0]} Expected: a good one. Look after the disk; a new --run-dir "
            "starts afresh."
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
        offer = "There is none before it." if earlier is None else f"{flag} {earlier} is whole."
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
            f"Received: {flag} best by {monitor!r}, which no checkpoint has a number for. Expected: "
            f"{', '.join(known) or 'an epoch that is done'}; {_listing(run_dir, found)}."
        )
    if ends[ranking[0]] == newest.path:
        return newest
    try:
        return open_checkpoint(ends[ranking[0]])
    except ValueError as error:
        good = _first_good(ends, ranking[1:])
        offer = "No other has a value." if good is None else f"The next best is {flag} {good}."
        raise ValueError(f"{error} {offer}") from error


def _first_good(ends: Mapping[int, Path], epochs: Iterable[int]) -> int | None:
    """Return the first of these epochs whose checkpoint is whole."""
    for epoch in epochs:
        with contextlib.suppress(ValueError):
            check_checkpoint(ends[epoch])
            return epoch
    return None


def _listing(run_dir: Path, found: Found) -> str:
    """Return what there is, such as "run/checkpoints has epochs 1-3, 5 and epoch-0005-step-000010.h5"."""
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
