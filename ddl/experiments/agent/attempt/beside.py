"""What the agent does beside a command: read its variables, evaluate the rules, write history, findings and events."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, NamedTuple

from ddl.experiments.agent.attempt import ending
from ddl.experiments.agent.attempt.rule_commands import RuleCommands
from ddl.experiments.agent.layout import AttemptFolder, ExperimentFolder
from ddl.experiments.agent.whole import append_line, read_json, write_json
from ddl.experiments.watching.group import Group
from ddl.experiments.watching.history import History
from ddl.experiments.watching.rule_text import parse_rule
from ddl.experiments.watching.rules import Firing, Watch
from ddl.experiments.watching.variables import Reader

_ORDERS = ("stop", "pause", "kill")
_CLOCK_EVERY_S = 5.0
_SAVE_EVERY_S = 15.0
_MOST_LINES = 2000
"""Findings and events of one attempt by rules; what flaps is not told for ever."""


class Order(NamedTuple):
    """What a rule asks of the agent: "stop", "pause" or "kill"."""

    how: str
    by: str
    why: str


class Beside:
    """Reads what a command writes, as long as it runs."""

    def __init__(
        self,
        attempt: AttemptFolder,
        record: Mapping[str, Any],
        name: str,
        folder: Path,
        environ: Mapping[str, str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Start with the history of earlier attempts, and with what their rules have seen."""
        self._attempt, self._name, self._clock = attempt, name, clock
        self.epochs = 0
        self.new_rows = 0
        self._started = self._progress_at = clock()
        self._evaluate_at = self._save_at = 0.0
        self._lines = self._problems = 0
        self._output_bytes = -1
        self.history = History(attempt.experiment.history, clock)
        self._watch = Watch(self._rules(record.get("watch") or ()))
        self._saved = self._earlier_state()
        self._watch.from_json(self._saved)
        self._group = Group(lambda: siblings(attempt.experiment, record))
        self._commands = RuleCommands(folder, environ)
        self._reader = self._reader_of(record.get("variables") or (), folder)

    def poll(self, ended: bool = False) -> list[Order]:
        """Read what is new. Return what rules ask for."""
        now = self._clock()
        changed = self.history.merge(self._reader.poll(ended), self._attempt.number)
        while ended and self._reader.is_behind:
            changed += self.history.merge(self._reader.poll(ended), self._attempt.number)
        for note in self._reader.take_notes():
            self._find("variables", note, "warn")
        if changed:
            self.new_rows += len(changed)
            self.epochs = max(self.epochs, *(int(row.get("epoch", 0)) for row in changed))
            self._progress_at = now
            self._write_history()
        elif not self.history.rows and self._output_has_grown():
            self._progress_at = now
        for problem in self._commands.look():
            self._find("command", problem, "warn")
        if not changed and not ended and now < self._evaluate_at:
            return []
        self._evaluate_at = now + _CLOCK_EVERY_S
        rows = self.history.rows
        args = (rows, now, self._started, self._progress_at, self._group, ended)
        orders = [order for firing in self._watch.evaluate(*args) for order in self._fire(firing)]
        self._save(now, at_once=bool(orders) or ended)
        return orders

    def close(self) -> None:
        """End commands of rules that still run."""
        self._commands.close()

    def _fire(self, firing: Firing) -> list[Order]:
        action = ", ".join(firing.actions)
        self._find(firing.rule, firing.text, action, epoch=firing.epoch, values=firing.values)
        self._lines += 1
        if self._lines <= _MOST_LINES:
            kind = f"rule/{firing.rule}-{self._lines}"
            details = {"rule": firing.rule, "actions": list(firing.actions), "epoch": firing.epoch}
            ending.append_event(
                self._attempt, self._name, kind, firing.text, {**details, "values": firing.values}
            )
        for word in firing.actions:
            if word.startswith("command "):
                event = {"rule": firing.rule, "text": firing.text, "values": firing.values}
                self._commands.start(word.partition(" ")[2], {**event, "attempt": self._name})
        return [
            Order(how, f"rule {firing.rule}", firing.text)
            for how in _ORDERS
            if how in firing.actions
        ]

    def _find(self, rule: str, text: str, action: str, **more: Any) -> None:
        self._problems += 1
        if self._problems <= _MOST_LINES:
            line = {"time": self._clock(), "rule": rule, "text": text, "action": action}
            append_line(self._attempt.findings, {"epoch": None, "values": {}, **line, **more})

    def _write_history(self) -> None:
        try:
            self.history.write()
        except OSError:  # a full disk: the next row tries again
            return

    def _save(self, now: float, at_once: bool) -> None:
        """Keep what rules have seen for the next attempt."""
        if not self._watch.rules or (now < self._save_at and not at_once):
            return
        state = self._watch.to_json()
        if state == self._saved:
            return
        try:
            write_json(self._attempt.watch, state)
        except OSError:
            return
        self._saved, self._save_at = state, now + _SAVE_EVERY_S

    def _earlier_state(self) -> dict[str, Any]:
        experiment = self._attempt.experiment
        for number in reversed(experiment.attempt_numbers()):
            state = read_json(experiment.attempt(number).watch)
            if number <= self._attempt.number and state:
                return state
        return {}

    def _rules(self, rules: Iterable[Mapping[str, Any]]) -> list[Any]:
        """Return the rules. The spec's reader has checked them; one of a newer version is told and left out."""
        found = []
        for rule in rules:
            try:
                found.append(parse_rule(str(rule["name"]), str(rule["text"])))
            except (ValueError, KeyError) as error:
                self._find(str(rule.get("name")), f"{error}", "warn")
        return found

    def _reader_of(self, sources: Iterable[Mapping[str, Any]], folder: Path) -> Reader:
        attempt = self._attempt
        folders = [attempt.experiment.run_dir, folder]
        more: dict[str, Any] = {
            "out_log": attempt.out_log,
            "err_log": attempt.err_log,
            "record": attempt.record,
            "rows_before": self.history.counted(attempt.number),
        }
        try:
            return Reader(list(sources), folders, **more)
        except ValueError as error:
            self._find("variables", f"{error}", "warn")
            return Reader([], folders, **more)

    def _output_has_grown(self) -> bool:
        """Return whether a command that writes no variables has written something else."""
        size = 0
        for path in (self._attempt.out_log, self._attempt.err_log):
            try:
                size += path.stat().st_size
            except OSError:
                continue
        before, self._output_bytes = self._output_bytes, size
        return size != before


def siblings(experiment: ExperimentFolder, record: Mapping[str, Any]) -> list[Path]:
    """Return the histories of the other experiments of a group; of the store where the record names no group."""
    found = []
    for folder in sorted(experiment.store.glob("[0-9]*-*")):
        other = ExperimentFolder(folder)
        if folder.name != experiment.path.name:
            group = read_json(other.experiment).get("group") or ""
            if group == (record.get("group") or ""):
                found.append(other.history)
    return found
