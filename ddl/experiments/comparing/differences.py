"""What differs between experiments: settings, how they run, code, results. What is the same is left out."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.experiments.comparing.code_differences import commit_text, file_rows
from ddl.experiments.comparing.labels import differing, shown
from ddl.experiments.results import best_of, read_rows, result_names
from ddl.experiments.store.attempts import number
from ddl.experiments.store.view import ExperimentView, StoreView

PARTS = ("settings", "run", "code", "results")
MOST_FILES = 30


@dataclass(frozen=True)
class Difference:
    """One thing in which experiments differ.

    Attributes:
        part: settings, run, code or results.
        name: what it is.
        values: a JSON value for each experiment.
    """

    part: str
    name: str
    values: tuple[Any, ...]


def differences(view: StoreView, items: Sequence[ExperimentView]) -> list[Difference]:
    """Return in what experiments of a store differ, part by part."""
    found = [*_settings(items), *_run(items), *_code(view, items), *_results(items)]
    return [each for each in found if len({_key(value) for value in each.values}) > 1]


def _settings(items: Sequence[ExperimentView]) -> list[Difference]:
    names = differing([item.record for item in items])
    return [
        Difference("settings", name, tuple(item.record.parameters.get(name) for item in items))
        for name in names
    ]


def _run(items: Sequence[ExperimentView]) -> list[Difference]:
    takes: dict[str, Callable[[ExperimentView], Any]] = {
        "spec": lambda item: item.record.spec_name,
        "group": lambda item: item.record.group,
        "author": lambda item: item.record.author,
        "ranks": lambda item: item.record.run.ranks,
        "environment": lambda item: dict(item.record.run.env),
        "setup": lambda item: item.record.run.setup,
        "needs": lambda item: {k: v for k, v in item.record.needs.to_json().items() if v},
        "node": lambda item: item.node,
        "watch": lambda item: {rule.name: rule.text for rule in item.record.watch},
    }
    rows = [
        Difference("run", name, tuple(take(item) for item in items)) for name, take in takes.items()
    ]
    if not _is_explained(items):
        rows.append(Difference("run", "command", tuple(_command(item) for item in items)))
    return rows


def _command(item: ExperimentView) -> str:
    return shlex.join(item.record.run.argv)


def _is_explained(items: Sequence[ExperimentView]) -> bool:
    """Return whether commands differ only in words that hold the values of settings."""
    commands = [_words(item) for item in items]
    if len({len(words) for words in commands}) > 1:
        return False
    names = differing([item.record for item in items])
    return all(
        len(set(words)) == 1
        or any(
            all(
                shown(item.record.parameters.get(name)) in word
                for item, word in zip(items, words, strict=True)
            )
            for name in names
        )
        for words in zip(*commands, strict=True)
    )


def _words(item: ExperimentView) -> list[str]:
    """Return the words of a command; those of a shell's line as blanks part them."""
    run = item.record.run
    return [word for text in run.argv for word in (text.split() if run.shell else [text])]


def _code(view: StoreView, items: Sequence[ExperimentView]) -> list[Difference]:
    codes, folder = [item.record.code for item in items], view.store.code
    rows = [
        Difference("code", "commit", tuple(commit_text(code, folder) for code in codes)),
        Difference("code", "policy", tuple(code.policy for code in codes)),
        Difference("code", "folder", tuple(code.source for code in codes)),
    ]
    snapshots: list[Path | None] = [
        folder / code.snapshot if code.snapshot else None for code in codes
    ]
    files = list(file_rows(snapshots).items())
    rows += [Difference("code", name, tuple(values)) for name, values in files[:MOST_FILES]]
    if len(files) > MOST_FILES:
        more = len(files) - MOST_FILES
        rows.append(Difference("code", f"{more} more files", ("", *["differ"] * (len(items) - 1))))
    return rows


def _results(items: Sequence[ExperimentView]) -> list[Difference]:
    histories = [read_rows(item.folder) for item in items]
    seconds = [
        sum(number(attempt.status.get("seconds")) for attempt in item.attempts) for item in items
    ]
    rows = [
        Difference("results", "state", tuple(item.state for item in items)),
        Difference("results", "epoch", tuple(item.epoch for item in items)),
        Difference("results", "attempts", tuple(len(item.attempts) for item in items)),
        Difference("results", "seconds", tuple(each or None for each in seconds)),
    ]
    for name in dict.fromkeys(name for history in histories for name in result_names(history)):
        last = tuple(_last(history, name) for history in histories)
        best = [best_of(history, name) for history in histories]
        rows.append(Difference("results", f"last {name}", last))
        values = tuple(None if each is None else each[0] for each in best)
        rows.append(Difference("results", f"best {name}", values))
        epochs = tuple(None if each is None else each[1] for each in best)
        rows.append(Difference("results", f"best {name}, epoch", epochs))
    return rows


def _last(history: Sequence[Mapping[str, Any]], name: str) -> Any:
    return next((row[name] for row in reversed(history) if name in row), None)


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
