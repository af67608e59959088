"""Experiments come into a store: each in a folder that appears whole, with its code frozen; what is there stays."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ddl.experiments.agent.layout import EXPERIMENT_NAME, STORE_NAME
from ddl.experiments.agent.whole import read_json, write_json
from ddl.experiments.spec.records import Experiment
from ddl.experiments.store.code.freeze import Frozen, freeze, has_changed
from ddl.experiments.store.folder import TEMPORARY, StoreFolder
from ddl.files import write_whole
from ddl.files.locks import Held, hold_lock

_LOCK = ".add.lock"
_NAME_BYTES = 200
_WAIT_S = 60.0
_LOOK_EVERY_S = 0.05
_FROZEN = "{store_dir}/"
"""Start of the folder of an experiment whose code this store has frozen already."""

_MAY_DIFFER = frozenset({"number", "name", "label", "id", "added", "code", "run", "search"})
"""What differs between two records of the same settings by itself."""


class SpecFile(Protocol):
    """What a store needs to know of a spec."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def path(self) -> Path:
        """The file that it was read from."""


@dataclass(frozen=True, kw_only=True)
class Added:
    """What `add` did."""

    new: tuple[Experiment, ...]
    """Experiments that are new, as they stand in the store."""
    kept: tuple[str, ...]
    """Names of those that the store had before, with the same settings."""
    vanished: tuple[str, ...]
    """Names of those that an earlier form of the spec had. They stay as they are."""
    differing: Mapping[str, tuple[str, ...]]
    """Name of a kept one -> settings beside its parameters that the spec has changed since, which it does not get."""
    lines: tuple[str, ...]
    """What was frozen, for the user."""


def add(store: StoreFolder, spec: SpecFile, experiments: Sequence[Experiment]) -> Added:
    """Put experiments into a store. Those with the same settings stay as they are, and so do their numbers.

    Two calls at once wait for each other. A call that is killed leaves whole experiments only; the same call again
    adds the rest.

    Raises:
        ValueError: Their code is too large to be frozen, another call holds the store, or an experiment is unreadable.
        OSError: The store cannot be written.
    """
    given = _by_identity(experiments)
    with _held(store):
        _clear(store)
        before = _records(store)
        new = [experiment for experiment in experiments if experiment.id not in before]
        frozen = _frozen(store, new)
        text = spec.path.read_bytes() if spec.path.is_file() else None
        records = _numbered(store, spec, before.values(), new, frozen)
        _write(store, records)
        if text is not None:
            write_whole(store.path / f"spec{spec.path.suffix}", lambda path: path.write_bytes(text))
    kept = [record for record in before.values() if record.id in given]
    return Added(
        new=tuple(records),
        kept=tuple(record.name for record in kept),
        vanished=tuple(
            record.name
            for record in before.values()
            if record.spec_name == spec.name and record.id not in given
        ),
        differing={
            record.name: names for record in kept if (names := _differing(record, given[record.id]))
        },
        lines=(
            *(line for item in frozen.values() for line in item.lines),
            *_older_code(store, kept, spec.path),
        ),
    )


def _by_identity(experiments: Sequence[Experiment]) -> dict[str, Experiment]:
    given: dict[str, Experiment] = {}
    for experiment in experiments:
        other = given.setdefault(experiment.id, experiment)
        if other is not experiment:
            raise ValueError(
                f"Received: {other.label} and {experiment.label}, which have the same settings. Expected: each once."
            )
    return given


@contextlib.contextmanager
def _held(store: StoreFolder) -> Iterator[None]:
    """Keep other calls of `add` out, after waiting for one that is at work."""
    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            with hold_lock(store.path / _LOCK):
                yield
            return
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                stale = f" {error}" if isinstance(error, Held) else ""
                raise ValueError(
                    f"Received: store={store.path}, to which another `add` has been adding for {_WAIT_S:.0f} s. "
                    f"Expected: one at a time; try again.{stale}"
                ) from None
        time.sleep(_LOOK_EVERY_S)


def _clear(store: StoreFolder) -> None:
    """Remove what calls that were killed have left half-made."""
    for leftover in store.path.glob(f"{TEMPORARY}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    for leftover in store.path.glob(f".*.{STORE_NAME}"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - leftover.stat().st_mtime > _WAIT_S:
                leftover.unlink()


def _records(store: StoreFolder) -> dict[str, Experiment]:
    """Return the experiments of a store by identity, in order. One that is unreadable could be any: it is refused."""
    found = {}
    for folder in store.folders():
        try:
            record = Experiment.from_json(json.loads(folder.experiment.read_bytes()))
        except (OSError, ValueError, AttributeError) as error:
            raise ValueError(
                f"Received: {folder.experiment}, which cannot be read ({error}). Expected: what `add` wrote; restore "
                "it, or move its folder away."
            ) from None
        found[record.id] = record
    return found


def _frozen(store: StoreFolder, new: Iterable[Experiment]) -> dict[tuple[str, str], Frozen]:
    """Freeze each folder that commands run in, once for each policy."""
    words: dict[tuple[str, str], dict[str, None]] = {}
    frozen: dict[tuple[str, str], Frozen] = {}
    for experiment in new:
        folder, policy = experiment.run.folder, experiment.code.policy
        if folder.startswith(_FROZEN):  # a later trial of a search runs what the first one froze
            frozen[folder, policy] = Frozen(folder, experiment.code, ())
            continue
        named = words.setdefault((experiment.run.folder, experiment.code.policy), {})
        for word in experiment.run.argv:
            named.update(dict.fromkeys(word.split() if experiment.run.shell else [word]))
    for (folder, policy), named in words.items():
        frozen[folder, policy] = freeze(store, Path(folder), policy, named)
    return frozen


def _older_code(store: StoreFolder, kept: Iterable[Experiment], spec: Path) -> Iterator[str]:
    """Yield a line for each copy of code that kept experiments run, and that is no longer the user's."""
    users: dict[str | None, list[Experiment]] = {}
    for record in kept:
        users.setdefault(record.code.snapshot, []).append(record)
    for records in users.values():
        if has_changed(store, records[0], spec):
            count = len(records)
            run = "1 kept one runs its" if count == 1 else f"{count} kept ones run their"
            yield (
                f"{run} code as it was when added; {records[0].code.source} has changed since. To run it as it is now: "
                "remove them, and add again."
            )


def _numbered(
    store: StoreFolder,
    spec: SpecFile,
    before: Iterable[Experiment],
    new: Iterable[Experiment],
    frozen: Mapping[tuple[str, str], Frozen],
) -> list[Experiment]:
    """Return the records with numbers that no experiment of this store ever had, and with their frozen code.

    The next number is on disk before a folder has it, because names of attempts are unique for ever.
    """
    facts = read_json(store.path / STORE_NAME)
    highest = max((record.number for record in before), default=0)
    start = max(int(facts.get("next_number", 1)), highest + 1)
    now = time.time()
    records = [
        _as_stored(experiment, number, frozen[experiment.run.folder, experiment.code.policy], now)
        for number, experiment in enumerate(new, start)
    ]
    specs = sorted({*facts.get("specs", ()), spec.path.name})
    changed = {**facts, "spec": spec.path.name, "specs": specs, "next_number": start + len(records)}
    if changed != facts:
        write_json(store.path / STORE_NAME, changed)
    return records


def _as_stored(experiment: Experiment, number: int, code: Frozen, now: float) -> Experiment:
    name = f"{number:03d}-{experiment.label or 'experiment'}"
    if name != Path(name).name or "\0" in name or len(os.fsencode(name)) > _NAME_BYTES:
        raise ValueError(
            f"Received: label {experiment.label!r}. Expected: one that a folder can have."
        )
    return dataclasses.replace(
        experiment,
        number=number,
        name=name,
        added=now,
        run=dataclasses.replace(experiment.run, folder=code.run_folder),
        code=code.code,
    )


def _write(store: StoreFolder, records: Sequence[Experiment]) -> None:
    """Make the folders: under temporary names, synced, then renamed."""
    made = []
    try:
        for record in records:
            folder = store.path / f"{TEMPORARY}{uuid.uuid4().hex[:12]}"
            folder.mkdir()
            made.append((folder, store.path / record.name))
            with (folder / EXPERIMENT_NAME).open("x", encoding="utf-8") as file:
                json.dump(record.to_json(), file, indent=1, ensure_ascii=True, allow_nan=False)
                file.write("\n")
        for (
            folder,
            _,
        ) in made:  # after all are written: the disk syncs many in about the time of one
            _sync(folder / EXPERIMENT_NAME)
            _sync(folder)
        for folder, final in made:
            folder.rename(final)
        _sync(store.path)
    finally:
        for folder, _ in made:
            shutil.rmtree(folder, ignore_errors=True)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _differing(record: Experiment, given: Experiment) -> tuple[str, ...]:
    """Return the settings that the spec has changed since an experiment was added."""
    old, new = _compared(record), _compared(given)
    return tuple(name for name in old if old[name] != new.get(name))


def _compared(record: Experiment) -> dict[str, Any]:
    values = record.to_json()
    run = {name: item for name, item in values["run"].items() if name not in ("argv", "folder")}
    compared = {name: item for name, item in values.items() if name not in _MAY_DIFFER}
    return json.loads(json.dumps({**compared, **run}))  # type: ignore[no-any-return]
