"""The keys of a spec: what each holds, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ddl.experiments.spec.block import OPTUNA, RANDOM, Search, Stop
from ddl.experiments.spec.context import Context, name_of
from ddl.experiments.spec.parameter.draws import EXPECTED
from ddl.experiments.spec.parameter.reader import ParameterReader
from ddl.experiments.spec.records import CODE_POLICIES, STOP_SIGNALS, Needs
from ddl.experiments.spec.text.item import Item, MisfitError
from ddl.experiments.spec.text.shape import (
    bytes_of,
    choice_of,
    duration_of,
    mapping_of,
    misfit,
    read_members,
    text_of,
    texts_of,
    truth_of,
    whole_of,
)
from ddl.experiments.spec.watch_fields import (
    read_mail,
    read_notify,
    read_variables,
    read_watch,
    rule_of,
)

MOST_GPUS = 1_000_000
MOST_RETRIES = 100
MOST_PRIORITY = 1_000_000
MOST_TRIALS = 100_000

_GOAL = re.compile(r"(max|min)\s+([A-Za-z_][A-Za-z0-9_./-]*)")
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Field:
    """A key: its help, and the function that reads it."""

    help: str
    read: Callable[[Item, Context], Any]


def _read_line(item: Item, _: Context) -> str:
    return text_of(item)


def _read_command(item: Item, _: Context) -> str | tuple[str, ...]:
    if isinstance(item.value, list):
        if not item.value:
            raise misfit(item, "a command")
        return texts_of(item)
    if not isinstance(item.value, str):
        raise misfit(item, "a command: a text, or a list of words")
    return text_of(item, "a command")


def _read_folder(item: Item, context: Context) -> tuple[str, Path]:
    text = text_of(item, "a folder")
    folder = (context.folder / Path(text).expanduser()).resolve()
    if not folder.is_dir():
        raise MisfitError(
            item.place,
            f"Received: folder {text}, which is none. Expected: a folder, seen from the spec's.",
        )
    return text, folder


def _read_needs(item: Item, context: Context) -> Needs:
    readers: dict[str, Callable[[Item], Any]] = {
        "time": duration_of,
        "memory": bytes_of,
        "gpus": lambda each: whole_of(each, 0, MOST_GPUS),
        "disk": bytes_of,
        "cores": lambda each: whole_of(each, 1, MOST_GPUS),
    }
    given = read_members(item, readers, "needs", context.problems)
    names = {"time": "time_s", "memory": "memory_bytes", "disk": "disk_bytes"}
    return Needs(**{names.get(name, name): value for name, value in given.items()})


def _read_priority(item: Item, _: Context) -> tuple[tuple[str, int, Any], ...]:
    if isinstance(item.value, dict):
        return tuple(
            (which, whole_of(member, -MOST_PRIORITY, MOST_PRIORITY), item.keys[which])
            for which, member in item.value.items()
        )
    return (("", whole_of(item, -MOST_PRIORITY, MOST_PRIORITY), item.place),)


def _read_env(item: Item, _: Context) -> dict[str, str]:
    values = {}
    for name, member in mapping_of(item, "env: a mapping of variables to texts").items():
        if not _ENV.fullmatch(name) or name.startswith("DDL_"):
            raise MisfitError(
                item.keys[name],
                f"Received: variable {name!r}. Expected: letters, digits and _, not DDL_...",
            )
        plain = member.value
        text = str(plain).lower() if isinstance(plain, bool) else plain
        values[name] = text if text == "" else text_of(Item(text, member.place))
    return values


def _read_files(item: Item, _: Context) -> tuple[str, ...]:
    return texts_of(item, "files: paths or patterns, such as [data/cells.h5]")


def _read_outputs(item: Item, _: Context) -> tuple[str, ...]:
    patterns = texts_of(item, 'outputs: patterns, such as ["*.png"]')
    for pattern in patterns:
        path = PurePosixPath(pattern)
        if path.is_absolute() or ".." in path.parts:
            raise MisfitError(
                item.place,
                f"Received: output {pattern}. Expected: a pattern below the experiment's folder, without ..",
            )
    return patterns


def _read_stop(item: Item, context: Context) -> Mapping[str, Any]:
    readers: dict[str, Callable[[Item], Any]] = {
        "signal": lambda each: choice_of(
            Item(text_of(each).upper().removeprefix("SIG"), each.place), STOP_SIGNALS
        ),
        "grace": duration_of,
    }
    given = read_members(item, readers, "stop", context.problems)
    default = Stop()
    return {
        "signal": given.get("signal", default.signal),
        "grace_s": given.get("grace", default.grace_s),
    }


def _read_search(item: Item, context: Context) -> Search | None:
    readers: dict[str, Callable[[Item], Any]] = {
        "n": lambda each: whole_of(each, 1, MOST_TRIALS),
        "goal": text_of,
        "by": lambda each: choice_of(each, (RANDOM, OPTUNA)),
        "rule": lambda each: rule_of("search", each).text,
    }
    given = read_members(item, readers, "search", context.problems)
    goal = _GOAL.fullmatch(given.get("goal", ""))
    if "n" not in given or not goal:
        raise misfit(
            item,
            "search: {n: 40, goal: max val_dice}, and in parameters {search: ...} with " + EXPECTED,
        )
    return Search(
        n=given["n"],
        largest=goal[1] == "max",
        goal=goal[2],
        by=given.get("by", RANDOM),
        rule=given.get("rule", ""),
    )


def _read_parameters(item: Item, context: Context) -> Any:
    return ParameterReader(context.folder, context.problems).read(item)


def _whole(low: int, high: int) -> Callable[[Item, Context], int]:
    return lambda item, _: whole_of(item, low, high)


FIELDS: Mapping[str, Field] = {
    "author": Field("who wants the experiments", _read_line),
    "subject": Field("what they are about", _read_line),
    "group": Field(
        "experiments to compare with one another, as `median(group, x)` does; the spec's name by default",
        _read_line,
    ),
    "command": Field("what runs: a text or a list of words, with `{placeholders}`", _read_command),
    "shell": Field("whether a shell runs the command", lambda item, _: truth_of(item)),
    "folder": Field(
        "folder that it runs in, seen from the spec's folder, which is the default", _read_folder
    ),
    "code": Field(
        "`frozen` (the default): a copy of the code made by `add`; `live`: the folder as it is at the start",
        lambda item, _: choice_of(item, CODE_POLICIES),
    ),
    "env": Field("environment variables of the command", _read_env),
    "ranks": Field("number of ranks, for `{ranks}`", _whole(1, MOST_GPUS)),
    "parameters": Field("what differs: see [Parameters](#parameters)", _read_parameters),
    "seed": Field("seed of random draws, 0 by default", _whole(0, 2**63 - 1)),
    "needs": Field(
        "what it needs of a machine: `time`, `memory`, `gpus`, `disk`, `cores`", _read_needs
    ),
    "retries": Field(
        "crashes after which it is tried again, 0 by default", _whole(0, MOST_RETRIES)
    ),
    "priority": Field(
        "higher ones start first: a number, or a mapping of which to a number", _read_priority
    ),
    "node": Field(
        "node or group that it runs on; in the spec also a mapping, its only node",
        lambda item, _: name_of(item),
    ),
    "watch": Field("rules: a mapping of a name to a rule", read_watch),
    "variables": Field("where values are read from: `from`, `pattern`, `columns`", read_variables),
    "mail": Field("who is told by mail, and of what", read_mail),
    "notify": Field("a command that is told of events", read_notify),
    "files": Field("files and folders that must be on the node, seen from `folder`", _read_files),
    "outputs": Field("patterns of files that `sync` fetches", _read_outputs),
    "stop": Field("how the command is asked to end: `signal`, `grace`", _read_stop),
    "profile": Field("whether it is profiled", lambda item, _: truth_of(item)),
    "search": Field("a search for the best parameters: `n`, `goal`, `by`, `rule`", _read_search),
}
"""Keys of a spec and of each of its `experiments`."""

TOP_KEYS = {
    "name": "the spec's name and its store's; the file's name without its ending by default",
    "nodes": "machines, as in nodes.yaml: a mapping, or the name of such a file",
    "groups": "names for several nodes: a mapping of a name to a list of nodes",
    "experiments": "several blocks: a mapping of a name to keys, which are those of the spec unless given anew",
}
"""Further keys of a spec."""

BLOCK_KEYS = {"base": "name of another block, whose keys and parameters it takes over"}
"""Further keys of a block below `experiments`."""
