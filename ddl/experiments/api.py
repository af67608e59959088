"""Experiments in Python, with the power of the verbs.

    from ddl.experiments import Store

    store = Store.add("cells.yaml")          # or Store("experiments/cells"), or Store() within its folder
    store.submit("lr=0.001")
    store.wait(timeout_s=3600)
    for experiment in store.find("state=finished"):
        print(experiment.name, experiment.best("val_dice"), experiment.history()[-1])
    store.retry("state=failed")

Looking writes nothing and asks no machine. What changes something notes the wish, syncs once, and returns what is said
to each experiment. Words name experiments as on the command line: names, numbers, globs, state=..., PARAMETER=VALUE.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ddl.experiments.results import best_of, read_rows, with_numbers
from ddl.experiments.states import ENDED
from ddl.experiments.store.attempts import AttemptView
from ddl.experiments.store.files import Files
from ddl.experiments.store.findings import read_findings
from ddl.experiments.store.folder import find_store
from ddl.experiments.store.plain import store_json
from ddl.experiments.store.view import ExperimentView, StoreView, read_again, read_view
from ddl.experiments.store.which import select, select_one
from ddl.experiments.table import make_table
from ddl.experiments.terminal.following import log_of
from ddl.experiments.terminal.tail import Follower, last_lines

_SETTLED = ENDED | {"planned", "paused"}


class Store:
    """A store of experiments."""

    def __init__(self, path: str | Path | None = None) -> None:
        """Open the store in a folder; without one the store that the verbs would find.

        Raises:
            ValueError: There is none, or it is damaged.
        """
        self._store = find_store(None if path is None else Path(path), Path.cwd())
        self._files = Files()

    @classmethod
    def add(cls, spec: str | Path, path: str | Path | None = None) -> Store:
        """Add the experiments of a spec's file to its store, or to the one in `path`, and return the store.

        Raises:
            ValueError: All that is wrong with the spec; or the store cannot take it.
        """
        from ddl.experiments.verbs.add import add_spec

        store, _ = add_spec(Path(spec), None if path is None else Path(path))
        return cls(store.path)

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._store.path

    @property
    def name(self) -> str:
        """Its name: that of the spec that it was made for."""
        return self._store.name

    @property
    def id(self) -> str:
        """Eight hex digits that no other store has."""
        return self._store.id

    def find(self, *words: str) -> list[Experiment]:
        """Return the experiments that words name, by number; all of them without a word.

        Raises:
            ValueError: A word names none.
        """
        return [Experiment(self, item) for item in select(self.view(), words)]

    def experiment(self, word: str | int) -> Experiment:
        """Return one experiment by its name or number.

        Raises:
            ValueError: The word names none, or several.
        """
        return Experiment(self, select_one(self.view(), [str(word)]))

    def status(self, *words: str) -> dict[str, Any]:
        """Return what `status --json` prints: totals, nodes, and the experiments, the most urgent first."""
        view = self.view()
        return store_json(view, select(view, words))

    def rows(self, *words: str, columns: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """Return a mapping for each experiment with settings, last and best results: what `table --json` prints.

        `pandas.DataFrame(store.rows())` makes a table of it.
        """
        view = self.view()
        names, rows = make_table(view, select(view, words), columns)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def view(self) -> StoreView:
        """Return all that the store says now. Files that have not changed since the last call are not read again."""
        return read_view(self.path, files=self._files)

    def submit(
        self, *words: str, node: str | None = None, priority: int | None = None
    ) -> dict[str, str]:
        """Hand experiments over to their machines; without a word all that were not submitted before."""
        from ddl.experiments.engine import wishes

        return self._ask(words, functools.partial(wishes.submit, node=node, priority=priority))

    def stop(self, *words: str) -> dict[str, str]:
        """End experiments with a checkpoint. At least one word is needed, as in all calls below: "*" means all."""
        from ddl.experiments.engine import wishes

        return self._ask(_named(words), wishes.stop)

    def pause(self, *words: str) -> dict[str, str]:
        """Stop experiments until `resume`."""
        from ddl.experiments.engine import wishes

        return self._ask(_named(words), wishes.pause)

    def resume(self, *words: str) -> dict[str, str]:
        """Continue what was paused or stopped."""
        from ddl.experiments.engine import wishes

        return self._ask(_named(words), wishes.resume)

    def retry(self, *words: str) -> dict[str, str]:
        """Try again what has failed."""
        from ddl.experiments.engine import wishes

        return self._ask(_named(words), wishes.retry)

    def remove(self, *words: str, yes: bool = False, results: bool = False) -> dict[str, str]:
        """Take experiments out of the store; those that may be running only with `yes`."""
        from ddl.experiments.engine import wishes

        return self._ask(_named(words), functools.partial(wishes.remove, yes=yes, results=results))

    def sync(self) -> list[str]:
        """Ask every node once, and do what is due. Return what was done, as lines. Safe to repeat, also two at once."""
        from ddl.experiments.engine.sync import sync

        return sync(self.path).lines

    def wait(self, *words: str, every_s: float = 30.0, timeout_s: float | None = None) -> bool:
        """Repeat `sync` until nothing more happens to experiments by itself. Return False if that takes longer."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            self.sync()
            if all(item.state in _SETTLED for item in self.find(*words)):
                return True
            left_s = every_s if deadline is None else min(every_s, deadline - time.monotonic())
            if left_s <= 0:
                return False
            time.sleep(left_s)

    def _ask(self, words: tuple[str, ...], wish: Callable[[ExperimentView], str]) -> dict[str, str]:
        said = {item.name: wish(item) for item in select(self.view(), words)}
        self.sync()
        return said

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"


class Experiment:
    """An experiment as it was when it was looked at. `refresh` looks again."""

    def __init__(self, store: Store, view: ExperimentView) -> None:
        """Wrap a view of an experiment. Made by `Store.find`."""
        self.store = store
        self.view = view

    @property
    def name(self) -> str:
        """Its name, such as "003-lr0.001-w32"."""
        return self.view.name

    @property
    def number(self) -> int:
        """Its number in the store."""
        return self.view.number

    @property
    def state(self) -> str:
        """Its state, as in `status`."""
        return self.view.state

    @property
    def why(self) -> str:
        """Why it is in its state, in one line; may be empty."""
        return self.view.why

    @property
    def node(self) -> str:
        """Where it is, or shall be."""
        return self.view.node

    @property
    def epoch(self) -> int | None:
        """The last epoch that it told; None before the first."""
        return self.view.epoch

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Its settings."""
        return self.view.record.parameters

    @property
    def attempts(self) -> tuple[AttemptView, ...]:
        """Its attempts, oldest first."""
        return self.view.attempts

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.view.folder.path

    @property
    def run_dir(self) -> Path:
        """Its run directory, where ddl's own scripts and {run_dir} write."""
        return self.view.folder.run_dir

    def history(self) -> list[dict[str, Any]]:
        """Return a mapping for each epoch. NaN and infinities are numbers."""
        return [with_numbers(row) for row in read_rows(self.view.folder)]

    def best(self, variable: str) -> float | None:
        """Return the best finite value of a variable: the smallest of a loss or an error, the largest of others."""
        found = best_of(read_rows(self.view.folder), variable)
        return None if found is None else found[0]

    def findings(self) -> list[dict[str, Any]]:
        """Return what its watch rules have found, oldest first."""
        return read_findings(self.attempts)

    def log(self, lines: int = 100, *, err: bool = False, attempt: int | None = None) -> list[str]:
        """Return the last lines of an attempt's output, the newest one's without `attempt`; all for 0 lines."""
        chosen = [one for one in self.attempts if attempt in (None, one.number)]
        paths = [log_of(one, err) for one in chosen]
        path = next((path for path in reversed(paths) if path.exists()), None)
        if path is None:
            return []
        return last_lines(path, lines)[0] if lines else [*Follower(path).drain(at_end=True)]

    def refresh(self) -> Experiment:
        """Return the experiment as it is now."""
        return Experiment(self.store, read_again(self.store._store, self.view.folder, Files()))

    def __repr__(self) -> str:
        return f"Experiment({self.name!r}, {self.state!r})"


def _named(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words:
        raise ValueError('Received: no word. Expected: which experiments; "*" means all.')
    return words
