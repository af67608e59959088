"""What every verb on a store shares: its flags, how the store is found, how JSON is printed."""

from __future__ import annotations

import json as json_text
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.experiments.states import BAD
from ddl.experiments.store.folder import StoreFolder, find_store, store_of_spec
from ddl.experiments.store.view import ExperimentView, StoreView
from ddl.plain_text import encodable, tell

SOMETHING_FAILED = 3
_SPECS = (".yaml", ".yml", ".json", ".csv")


@dataclass(frozen=True, kw_only=True)
class OfStore:
    """A verb on a store.

    Attributes:
        store: the store's folder; without it $DDL_STORE, the one around this folder, or the only one in ./experiments
        json: print one JSON document instead of text
    """

    store: Path | None = None
    json: bool = False


def find(settings: OfStore, which: Sequence[str] = ()) -> tuple[StoreFolder, tuple[str, ...]]:
    """Return the store that is meant, and the words that name experiments in it.

    The first word may be a spec's file: then the store is the one that `add` made for it.
    """
    words = tuple(which)
    if words and is_spec(words[0]):
        if settings.store is not None:
            return find_store(settings.store, Path.cwd()), words[1:]
        return store_of_spec(Path(words[0])), words[1:]
    return find_store(settings.store, Path.cwd()), words


def is_spec(word: str) -> bool:
    """Return whether a word is the file of a spec, and no name of an experiment."""
    return word.lower().endswith(_SPECS) and Path(word).is_file()


def exit_status(view: StoreView, chosen: Sequence[ExperimentView]) -> int:
    """Return 3 where an experiment has failed or cannot be read, else 0."""
    return SOMETHING_FAILED if view.damaged or any(item.state in BAD for item in chosen) else 0


def say_json(value: Any) -> None:
    """Print one JSON document. NaN and infinities are texts in our files, so they are here, too."""
    text = json_text.dumps(value, indent=1, ensure_ascii=True, allow_nan=False, default=str)
    sys.stdout.write(f"{text}\n")


def say(lines: Sequence[str]) -> None:
    """Print lines that hold no text of users, or only escaped ones. Colours stay."""
    sys.stdout.write("".join(f"{encodable(line)}\n" for line in lines))


def say_damaged(view: StoreView) -> None:
    """Tell which experiments cannot be read."""
    for name, reason in view.damaged.items():
        tell(f"experiments: {name} cannot be read. {reason}")


def nobody_reads() -> bool:
    """Return whether standard output is lost: `watch | head` ends when `head` does."""
    return bool(getattr(sys.stdout, "lost", ""))
