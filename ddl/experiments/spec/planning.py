"""What `add` would do with a spec: which experiments are new, what they need together, which files they want."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ddl.experiments.agent.layout import STORE_NAME
from ddl.experiments.spec.block import Block, Spec
from ddl.experiments.spec.expand import is_later_trial
from ddl.experiments.spec.names import differing, full_name
from ddl.experiments.spec.records import Experiment
from ddl.experiments.spec.text.item import SpecError
from ddl.experiments.store.folder import open_store, read_store
from ddl.ranges import did_you_mean

_GLOB = "*?["


@dataclass(frozen=True, kw_only=True)
class Planned:
    """An experiment as `add` would make it, or as the store has it."""

    experiment: Experiment
    name: str
    """Its name in the store."""
    kept: bool
    """Whether the store has it already."""
    differs: Mapping[str, Any]
    """What differs of its parameters."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """Files that must be on a node."""

    pattern: str
    files: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What `add` would do."""

    spec: Spec
    store: Path
    exists: bool
    """Whether the store exists."""
    planned: tuple[Planned, ...]
    vanished: tuple[str, ...]
    """Names of experiments that an earlier form of the spec had; they stay."""
    sent: tuple[Sent, ...]
    notes: tuple[str, ...]


def plan_of(spec: Spec, experiments: Sequence[Experiment], store: Path) -> Plan:
    """Return what `add` would do with experiments of a spec. Writes nothing.

    Raises:
        SpecError: a file that they want is missing.
        ValueError: the store is damaged.
    """
    exists = (store / STORE_NAME).is_file()
    before = stored(store) if exists else {}
    number = int(read_store(store).get("next_number", 1)) if exists else 1
    number = max([number, *(known.number + 1 for known in before.values())])
    rows = []
    blocks = [experiment.block for experiment in experiments]
    differences = differing([experiment.parameters for experiment in experiments], blocks)
    for experiment, differs in zip(experiments, differences, strict=True):
        known = before.get(experiment.id)
        name = known.name if known else full_name(number, experiment.label)
        number += known is None
        rows.append(
            Planned(experiment=experiment, name=name, kept=known is not None, differs=differs)
        )
    ids = {experiment.id for experiment in experiments}
    gone = [
        one
        for one in before.values()
        if one.spec_name == spec.name and one.id not in ids and not is_later_trial(one, spec)
    ]
    return Plan(
        spec=spec,
        store=store,
        exists=exists,
        planned=tuple(rows),
        vanished=tuple(one.name for one in gone),
        sent=files_of(spec),
        notes=tuple(_notes(spec)),
    )


def stored(store: Path) -> dict[str, Experiment]:
    """Return the experiments of a store by identity."""
    found = {}
    for folder in open_store(store).folders():
        try:
            record = Experiment.from_json(json.loads(folder.experiment.read_bytes()))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"Received: {folder.experiment}, which cannot be read ({error}). Expected: what `add` wrote."
            ) from None
        found[record.id] = record
    return found


def files_of(spec: Spec) -> tuple[Sent, ...]:
    """Return what each entry of `files` holds.

    Raises:
        SpecError: one of them matches nothing.
    """
    wanted = {(block.folder, pattern): block for block in spec.blocks for pattern in block.files}
    sent, problems = [], []
    for (folder, pattern), block in wanted.items():
        found = [*_matches(folder, pattern)]
        if not found:
            problems.append(
                f"{block.place}: Received: files {pattern}, which is not in {folder}. Expected: a file or a folder."
            )
            continue
        sizes = [size for path in found for size in _sizes(path)]
        sent.append(Sent(pattern=pattern, files=len(sizes), bytes=sum(sizes)))
    if problems:
        raise SpecError(tuple(problems))
    return tuple(sent)


def _matches(folder: Path, pattern: str) -> Iterator[Path]:
    path = Path(pattern).expanduser()
    if not any(sign in pattern for sign in _GLOB):
        whole = folder / path
        return iter([whole] if whole.exists() else [])
    if path.is_absolute():
        return Path(path.anchor).glob(str(path.relative_to(path.anchor)))
    return folder.glob(str(path))


def _sizes(path: Path) -> Iterator[int]:
    """Yield the size of a file, or of all files below a folder; one that cannot be read counts as empty."""
    inside = path.rglob("*") if path.is_dir() else iter([path])
    for each in inside:
        try:
            if each.is_file():
                yield each.stat().st_size
        except OSError:
            yield 0


def _notes(spec: Spec) -> Iterator[str]:
    """Yield what is allowed and may surprise."""
    seen: set[str] = set()
    for block in spec.blocks:
        for note in (*_lists(block), *_unknown_variables(block)):
            if note not in seen:
                seen.add(note)
                yield note


def _lists(block: Block) -> Iterator[str]:
    for settings in block.parameters.lists:
        for name, value in settings[0].items() if len(settings) == 1 else ():
            numbers = isinstance(value, list) and all(
                isinstance(one, (int, float)) for one in value
            )
            if numbers and len(value) > 1:
                yield (
                    f"{name} is one list of {len(value)} numbers for each experiment; "
                    f"for one experiment each: {name}: {{grid: {value}}}"
                )


def _unknown_variables(block: Block) -> Iterator[str]:
    """Yield the names in rules that the spec's own columns do not have; without columns none are known yet."""
    if not block.watch or not all(variable.columns for variable in block.variables):
        return
    if find_spec("ddl.experiments.watching.rule_text") is None:
        return
    parse = import_module("ddl.experiments.watching.rule_text").parse_rule
    names_of = import_module("ddl.experiments.watching.condition.tree").variables_of
    columns = [
        name.partition("=")[0].strip() for variable in block.variables for name in variable.columns
    ]
    for rule in block.watch:
        for name in names_of(parse(rule.name, rule.text)):
            if name not in columns:
                yield f"rule {rule.name}: {name} is none of the columns.{did_you_mean(name, columns)}"
