"""The lines of the log of updates: what they hold, and how they are read from its file. No TensorFlow."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.asynchronous.ages import AgeRules
from ddl.asynchronous.audit.log import FORMAT
from ddl.asynchronous.epoch_leases import leases_before, position_after
from ddl.data.order import Position, SampleOrder, order_from_state
from ddl.files import check_regular

_LONGEST_LINE = 1 << 20
_WHOLE = ("lease", "epoch", "step", "part", "read", "written")
_NUMBERS = ("weight", "loss", "norm", "mark")


@dataclass(frozen=True)
class Start:
    """The line of a start of the run."""

    line: int
    order: SampleOrder
    position: Position
    version: int
    rules: AgeRules
    checkpoint: str | None
    plan: str
    data: str


@dataclass(frozen=True)
class Line:
    """The line of an update."""

    line: int
    lease: int
    epoch: int
    step: int
    part: int
    read: int
    written: int
    worker: str
    weight: float
    loss: float
    norm: float
    mark: float


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of the file with their numbers."""
    check_regular(path)
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            number = 0
            while text := file.readline(_LONGEST_LINE):
                number += 1
                yield number, text
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Received: {path}, which is not text ({error.reason}). Expected: the log of an asynchronous run."
        ) from error
    except OSError as error:
        raise ValueError(
            f"Received: {path}, which cannot be read ({error.strerror}). Expected: the log of an asynchronous run, "
            "which trained with --parallel async."
        ) from error


def entry_of(path: Path, number: int, text: str) -> Start | Line:
    """Return what a line says.

    Raises:
        ValueError: it is damaged.
    """
    try:
        values = json.loads(text)
        if not isinstance(values, Mapping):
            raise TypeError("no JSON object")
        return _start(number, values) if "format" in values else _line(number, values)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        why = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())[:160]
        raise ValueError(
            f"Received: {path}, line {number}, which is damaged ({why}). Expected: a line that asynchronous training "
            "wrote; restore the file from a backup."
        ) from error


def _start(number: int, values: Mapping[str, Any]) -> Start:
    if values["format"] != FORMAT:
        raise ValueError(f"format {values['format']!r}, but this version of ddl reads {FORMAT}")
    order = order_from_state(values["order"])
    position = Position(_whole(values["order"], "epoch"), _whole(values["order"], "step"))
    checkpoint = values["from"]
    rules = AgeRules(order.size, _whole(values, "max_staleness"), values["staleness_scaling"])
    version = _whole(values, "version")
    if position.step > order.steps_per_epoch or version != leases_before(order, position):
        raise ValueError(f"version {version} at step {position.step} of epoch {position.epoch}")
    if checkpoint is not None and not isinstance(checkpoint, str):
        raise TypeError("from is no name")
    if (
        checkpoint is None and version and number == 1
    ):  # later: another server, from what the driver has
        raise ValueError(f"version {version} from no checkpoint")
    position = position_after(order, version)
    plan, data = str(values["plan"]), str(values["data"])
    return Start(number, order, position, version, rules, checkpoint, plan, data)


def _line(number: int, values: Mapping[str, Any]) -> Line:
    worker = values["worker"]
    if not isinstance(worker, str):
        raise TypeError("worker is no name")
    whole: dict[str, Any] = {name: _whole(values, name) for name in _WHOLE}
    numbers: dict[str, Any] = {name: _number(values, name) for name in _NUMBERS}
    return Line(line=number, worker=worker, **whole, **numbers)


def _whole(values: Mapping[str, Any], name: str) -> int:
    value = values[name]
    if type(value) is not int or value < 0:
        raise TypeError(f"{name}={value!r}")
    return value


def _number(values: Mapping[str, Any], name: str) -> float:
    value = values[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{name}={value!r}")
    return float(value)
