"""From a spec to its experiments: every setting with its command, its name and its identity."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ddl.experiments.spec.block import OPTUNA, Block, Spec
from ddl.experiments.spec.command.commands import argv_of, check_command
from ddl.experiments.spec.command.template import placeholders
from ddl.experiments.spec.identity import canonical, identity
from ddl.experiments.spec.names import full_name, labels
from ddl.experiments.spec.parameter.settings import (
    MOST_EXPERIMENTS,
    Parameters,
    Setting,
    draw_settings,
)
from ddl.experiments.spec.priorities import check_priorities, priority_of
from ddl.experiments.spec.records import Code, Experiment, Run
from ddl.experiments.spec.text.item import Problems

STARTUP_TRIALS = 10
"""Trials of a learning search that are drawn at random before it has anything to learn from."""

_MOST_PROBLEMS = 20


def experiments_of(spec: Spec) -> list[Experiment]:
    """Return the experiments of a spec, numbered from 1. The same spec gives the same ones, always.

    Raises:
        SpecError: all that is wrong with them: too many, the same twice, a value that fits nowhere.
    """
    problems = Problems()
    _check_count(spec, problems)
    problems.raise_any()
    owners: list[Block] = []
    settings: list[Mapping[str, Any]] = []
    for block in spec.blocks:
        found = _settings(block, problems)
        owners += [block] * len(found)
        settings += found
    problems.raise_any()
    if not settings:
        problems.add(
            f"{spec.path}: Received: a spec without experiments: all are excluded. Expected: one at least."
        )
    heads = [block.name for block in owners]
    made = labels(settings, heads, spec.name)
    trials: Counter[str] = Counter()
    experiments = []
    for number, (block, setting, label) in enumerate(zip(owners, settings, made, strict=True), 1):
        trials[block.name] += 1
        one = _experiment(spec, block, setting, number, label, problems)
        experiments.append(_as_trial(one, block, trials[block.name]) if block.search else one)
    _check_different(spec, owners, experiments, problems)
    check_priorities(experiments, owners, problems)
    problems.raise_any()
    return experiments


def trials_of(
    spec: Spec, block: Block, before: Sequence[Mapping[str, Any]], asked: Sequence[Setting]
) -> list[Experiment]:
    """Return further trials of a search.

    Args:
        spec: the spec.
        block: its block with the search.
        before: the parameters of its earlier trials, all of them.
        asked: values of the searched parameters for each new trial.

    Raises:
        SpecError: the command cannot take them.
    """
    problems = Problems()
    fixed = next(iter(block.parameters.settings(block.seed)), {})
    settings = [_ordered(block.parameters, {**fixed, **values}) for values in asked]
    every = [*before, *settings]
    made = labels(every, [block.name] * len(every), spec.name)[len(before) :]
    trials = [
        _as_trial(_experiment(spec, block, setting, number, label, problems), block, number)
        for number, (setting, label) in enumerate(zip(settings, made, strict=True), len(before) + 1)
    ]
    problems.raise_any()
    return trials


def is_later_trial(record: Experiment, spec: Spec) -> bool:
    """Return whether a search of the spec asked for this experiment, which the spec itself does not list."""
    trial = int((record.search or {}).get("trial", 0))
    return trial > STARTUP_TRIALS and any(
        block.name == record.block and block.search is not None and block.search.by == OPTUNA
        for block in spec.blocks
    )


def _as_trial(experiment: Experiment, block: Block, trial: int) -> Experiment:
    facts = block.search.to_json() if block.search else {}
    return dataclasses.replace(experiment, search={"trial": trial, **facts})


def _check_count(spec: Spec, problems: Problems) -> None:
    count = sum(block.parameters.size() * _trials(block) for block in spec.blocks)
    if count > MOST_EXPERIMENTS:
        problems.add(
            f"{spec.path}: Received: {count:,} experiments. Expected: at most {MOST_EXPERIMENTS:,}; "
            "shorter lists, or random: {n: ...} in place of a grid."
        )


def _trials(block: Block) -> int:
    """Return how many trials of a search are made before any has ended."""
    if block.search is None:
        return 1
    return min(block.search.n, STARTUP_TRIALS) if block.search.by == OPTUNA else block.search.n


def _settings(block: Block, problems: Problems) -> list[Mapping[str, Any]]:
    """Return the settings of a block, after checking what all of them share."""
    parameters = block.parameters
    if bool(parameters.search) != bool(block.search):
        what, remedy = (
            ("search without a parameter", "parameters: {learning_rate: {search: log 1e-5..1e-2}}")
            if block.search
            else (
                f"{next(iter(parameters.search))}: {{search: ...}}",
                "search: {n: 40, goal: max val_dice} beside parameters",
            )
        )
        problems.add(f"{block.place}: Received: {what}. Expected: {remedy}.")
        return []
    if block.search and parameters.size() != 1:
        problems.add(
            f"{block.place}: Received: search beside grid, zip, list or random. Expected: plain values."
        )
        return []
    try:
        check_command(block.command, list(parameters.places), block.profile)
    except ValueError as error:
        problems.add(f"{block.command_place}: {error}")
        return []
    try:
        found: list[Mapping[str, Any]] = [*parameters.settings(block.seed)]
        if block.search and found:
            drawn = draw_settings(parameters.search, _trials(block), block.seed)
            found = [_ordered(parameters, {**found[0], **trial}) for trial in drawn]
    except ValueError as error:
        problems.add(f"{block.place}: {error}")
        return []
    return found


def _ordered(parameters: Parameters, setting: Mapping[str, Any]) -> dict[str, Any]:
    return {name: setting[name] for name in parameters.places if name in setting}


def _experiment(
    spec: Spec,
    block: Block,
    setting: Mapping[str, Any],
    number: int,
    label: str,
    problems: Problems,
) -> Experiment:
    argv: tuple[str, ...] = ()
    if len(problems) < _MOST_PROBLEMS:
        try:
            argv = argv_of(block.command, setting, block.ranks, block.profile)
        except ValueError as error:
            problems.add(f"{block.command_place}: {error}")
    return Experiment(
        number=number,
        name=full_name(number, label),
        label=label,
        id=identity(setting, _command_identity(block)),
        spec_name=spec.name,
        block=block.name,
        author=block.author,
        subject=block.subject,
        group=block.group or spec.name,
        parameters=setting,
        run=Run(
            argv=argv,
            shell=block.command.shell,
            folder=str(block.folder),
            env=block.env,
            stop_signal=block.stop.signal,
            stop_grace_s=block.stop.grace_s,
            ranks=block.ranks,
            own=block.command.own,
        ),
        needs=block.needs,
        retries=block.retries,
        priority=priority_of(block, setting, label),
        node=block.node or spec.nodes.default,
        variables=block.variables,
        watch=block.watch,
        mail=block.mail,
        notify=block.notify,
        files=block.files,
        outputs=block.outputs,
        code=Code(policy=block.code, source=str(block.folder)),
        profile=block.profile,
    )


def _command_identity(block: Block) -> dict[str, Any]:
    """Return what makes the same parameters another experiment: never the absolute place of a folder."""
    words = block.command.words
    named = {found.name for word in words for found in placeholders(word)}
    facts: dict[str, Any] = {"words": list(words), "code": block.code}
    folder = os.path.normpath(block.folder_text)
    optional = {
        "shell": block.command.shell,
        "ranks": block.ranks if "ranks" in named else None,
        "folder": folder if folder != "." else None,
        "env": dict(block.env),
    }
    return facts | {name: value for name, value in optional.items() if value}


def _check_different(
    spec: Spec, owners: list[Block], experiments: list[Experiment], problems: Problems
) -> None:
    first: dict[str, Experiment] = {}
    for block, experiment in zip(owners, experiments, strict=True):
        other = first.setdefault(experiment.id, experiment)
        if other is not experiment and len(problems) < _MOST_PROBLEMS:
            place = next(iter(block.parameters.places.values()), block.place)
            problems.add(
                f"{place}: Received: {other.name} and {experiment.name} with the same parameters "
                f"{canonical(dict(experiment.parameters))[:200]}. Expected: each once; exclude one."
            )
