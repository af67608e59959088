"""Which rules fire as rows come in: each row is seen once by each rule, also when a later attempt goes on.

watch = Watch([parse_rule("hopeless", "val_dice < 0.6 after 20 epochs -> stop")])
watch.from_json(state)                      # what an earlier attempt has seen and fired
for firing in watch.evaluate(history.rows, now, started, last_progress):
    print(firing.text, firing.actions)
state = watch.to_json()
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass, field, replace
from typing import Any, Mapping, Sequence

from ddl.experiments.watching.condition.columns import Columns
from ddl.experiments.watching.condition.evaluation import Clock, Group, Moment, holds, is_past
from ddl.experiments.watching.condition.series import Place
from ddl.experiments.watching.condition.tree import (
    EPOCHS,
    SECONDS,
    Rule,
    Span,
    uses_clock,
    variables_of,
)
from ddl.experiments.watching.values import json_number, key_of, names_of, number_of

Row = Mapping[str, Any]

FORMAT = 1
SETTLED_S = 10.0
"""A first row that has not changed for so long has all the variables it will get."""

_SHOWN_NAMES = 8


@dataclass(frozen=True)
class Firing:
    """A rule that fires now.

    Attributes:
        rule: its name.
        text: one line for people.
        actions: what is due: warn, mail, stop, kill, pause, "command NAME".
        epoch: of the row, or its step; None without a row.
        time: when, in seconds since 1970.
        values: the rule's variables at that row, as JSON values.
    """

    rule: str
    text: str
    actions: tuple[str, ...]
    epoch: float | None
    time: float
    values: dict[str, Any] = field(default_factory=dict)


class _State:
    """What one rule has seen."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.seen: dict[str, float] = {}  # kind of row -> the last one
        self.since: Place | None = None  # from where on the condition holds
        self.has_fired = False
        self.count = 0
        self.row: Row = {}  # the last one seen in this process
        self.place: Place | None = None

    def to_json(self) -> dict[str, Any]:
        since = list(self.since) if self.since else None
        return {
            "text": self.text,
            "seen": self.seen,
            "since": since,
            "fired": self.has_fired,
            "count": self.count,
        }

    def restore(self, value: Mapping[str, Any]) -> None:
        seen = value.get("seen")
        if isinstance(seen, dict):
            numbers = {str(kind): number_of(last) for kind, last in seen.items()}
            self.seen = {kind: last for kind, last in numbers.items() if last is not None}
        since = value.get("since")
        if isinstance(since, list) and len(since) == 3:
            epochs, steps, time = (number_of(part) for part in since)
            self.since = None if epochs is None or time is None else Place(epochs, steps, time)
        self.has_fired = value.get("fired") is True
        self.count = int(number_of(value.get("count")) or 0)


class Watch:
    """Evaluates rules over a history that grows."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Start with nothing seen."""
        self.rules = tuple(rules)
        self._states = {rule.name: _State(rule.text) for rule in self.rules}
        self._names = {rule.name: variables_of(rule) for rule in self.rules}
        self._told: list[str] = []  # rules whose unknown variables were said
        self._columns = Columns(name for names in self._names.values() for name in names)

    def to_json(self) -> dict[str, Any]:
        """Return what was seen and fired, as JSON values."""
        states = {name: state.to_json() for name, state in self._states.items()}
        return {"format": FORMAT, "rules": states, "told": list(self._told)}

    def from_json(self, value: Mapping[str, Any]) -> None:
        """Take up what `to_json` gave. A rule whose text has changed since starts anew; damaged parts are left out."""
        states = value.get("rules")
        for name, state in self._states.items():
            known = states.get(name) if isinstance(states, dict) else None
            if isinstance(known, dict) and known.get("text") == state.text:
                state.restore(known)
        told = value.get("told")
        self._told = [str(name) for name in told] if isinstance(told, list) else []

    def evaluate(
        self,
        rows: Sequence[Mapping[str, Any]],
        now: float,
        started: float,
        last_progress: float,
        group: Group = lambda name: (),
        ended: bool = False,
    ) -> list[Firing]:
        """Return the rules that fire, in the order of rows and rules.

        Args:
            rows: all rows so far, as `History.rows` gives them. What changed since the last call is found out.
            now: seconds since 1970.
            started: when the attempt started.
            last_progress: when something new was written last; `started` if nothing was yet.
            group: the last values of a variable in the other experiments of the group.
            ended: the program has ended, so the last row gets no more variables.
        """
        clock = Clock(now, started, last_progress, group)
        firings = self._unknown_names(rows, now, ended)
        for row, place, is_last in self._columns.walk(rows):
            for rule in self.rules:
                if not is_last or ended or all(name in row for name in self._names[rule.name]):
                    firings += self._at_row(rule, row, place, clock)
            if is_last:
                firings += self._at_clock(clock)
        return firings if rows else firings + self._at_clock(clock)

    def _at_row(self, rule: Rule, row: Row, place: Place, clock: Clock) -> list[Firing]:
        """Evaluate a rule at a row that it has not seen yet."""
        state = self._states[rule.name]
        kind, number = key_of(row) or ("", 0)
        state.row, state.place = row, place
        if number <= state.seen.get(kind, -math.inf):
            return []
        moment = self._moment(state, clock)
        value = holds(rule.condition, moment)
        if value is None:  # what is missing may come late
            return []
        state.seen[kind] = number
        return self._changed(
            rule, value, moment, replace(clock, now=max(place.time, clock.started))
        )

    def _at_clock(self, clock: Clock) -> list[Firing]:
        """Evaluate the rules that can become true without a new row, at the last row that each has seen."""
        firings: list[Firing] = []
        for rule in self.rules:
            if uses_clock(rule):
                moment = self._moment(self._states[rule.name], clock)
                firings += self._changed(rule, holds(rule.condition, moment), moment, clock)
        return firings

    def _moment(self, state: _State, clock: Clock) -> Moment:
        return Moment(state.row, state.place, self._columns.series, clock)

    def _changed(
        self, rule: Rule, value: bool | None, moment: Moment, clock: Clock
    ) -> list[Firing]:
        """Take note of whether the condition holds; return the firing that this makes, if any."""
        state = self._states[rule.name]
        if value is None:
            return []
        place = moment.place or Place(0.0, None, clock.now)
        if not value or not _is_after(rule.after, place, clock):
            state.since, state.has_fired = None, False
            return []
        if state.since is None:
            state.since = place if rule.lasting is None else place._replace(time=clock.now)
        if state.has_fired or not _has_lasted(rule.lasting, state.since, place, clock):
            return []
        state.has_fired = True
        state.count += 1
        return [self._firing(rule, moment)]

    def _firing(self, rule: Rule, moment: Moment) -> Firing:
        key = key_of(moment.row)
        values = {n: json_number(moment.row[n]) for n in self._names[rule.name] if n in moment.row}
        shown = ", ".join(f"{name} {_short(value)}" for name, value in values.items())
        at = f" at {key[0]} {_short(key[1])}" if key else ""
        text = f"{rule.name}{at}: {rule.text}" + (f" ({shown})" if shown else "")
        return Firing(
            rule.name, text, rule.actions, key[1] if key else None, moment.clock.now, values
        )

    def _unknown_names(self, rows: Sequence[Row], now: float, ended: bool) -> list[Firing]:
        """Say once, at the first row, which names of rules no variable has, and which one is near."""
        if not rows or len(self._told) == len(self.rules):
            return []
        if len(rows) == 1 and not ended and now - rows[0].get("time", now) < SETTLED_S:
            return []
        known = list(dict.fromkeys(name for row in rows for name in names_of(row)))
        firings = []
        for rule in self.rules:
            if rule.name in self._told:
                continue
            self._told.append(rule.name)
            unknown = [name for name in self._names[rule.name] if name not in known]
            if unknown:
                text = f"{rule.name}: {_not_there(unknown, known)}"
                firings.append(Firing(rule.name, text, ("warn",), _first(rows), now))
        return firings


def _is_after(after: Span | None, place: Place, clock: Clock) -> bool:
    """Return whether what stands after `after` has passed."""
    if after is None:
        return True
    if after.unit == SECONDS:
        return clock.now - clock.started >= after.amount
    done = place.epochs if after.unit == EPOCHS else place.steps
    return done is not None and done >= after.amount


def _has_lasted(lasting: Span | None, since: Place, place: Place, clock: Clock) -> bool:
    """Return whether a condition has held as long as stands after `for`. Three epochs are those of three rows."""
    if lasting is None:
        return True
    if lasting.unit == EPOCHS:
        return place.epochs - since.epochs + 1 >= lasting.amount
    return is_past(lasting, since, place, clock) is True


def _not_there(unknown: Sequence[str], known: Sequence[str]) -> str:
    parts = []
    for name in unknown:
        near = difflib.get_close_matches(name, known, 1)
        has = [f'"{n}"' for n in known if name in re.split(r"[^\w.]+", n)]
        meant = has[:1] or near
        parts.append(
            f"no variable {name} so far" + (f", the nearest is {meant[0]}" if meant else "")
        )
    listed = ", ".join(known[:_SHOWN_NAMES]) + (" ..." if len(known) > _SHOWN_NAMES else "")
    return f"{'; '.join(parts)}. There are: {listed}."


def _first(rows: Sequence[Row]) -> float | None:
    key = key_of(rows[0])
    return key[1] if key else None


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, (int, float)) else str(value)
