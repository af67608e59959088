"""What a script tells of itself: `record epoch=3 loss=0.31`, from any language. The room `hand` has the rest.

Beside an agent, `record` adds a line that the agent reads. It is called at every epoch, so it imports little.
"""

from __future__ import annotations

import math
import os
import re
import time
from pathlib import Path
from typing import Mapping

from ddl.experiments.agent.layout import AttemptFolder
from ddl.experiments.agent.whole import append_line
from ddl.experiments.watching.values import json_number, number_of
from ddl.plain_text import tell

_NAME = re.compile(r"[A-Za-z_][\w./:-]*")
_LONGEST_NAME = 100


def record(words: list[str]) -> int:
    """Add values to the history of the experiment whose agent runs this script."""
    write(AttemptFolder(Path(os.environ["DDL_ATTEMPT_DIR"])), line_of(words))
    return 0


def line_of(words: list[str]) -> dict[str, object]:
    """Return the line of record.jsonl that words such as `loss=0.3` make."""
    values = dict(map(pair_of, words))
    if not values:
        raise ValueError("Received: no value. Expected: NAME=NUMBER, such as epoch=3 loss=0.31.")
    row = {name: json_number(_number(name, text)) for name, text in values.items()}
    return {**row, "time": time.time()}


def write(attempt: AttemptFolder, line: Mapping[str, object]) -> bool:
    """Add a line. Return whether that worked: no training ends because a disk is full."""
    if append_line(attempt.record, line):
        return True
    tell(f"agent: could not write to {attempt.record}; the training continues.")
    return False


def is_beside_agent() -> bool:
    """Return whether an agent runs the script, which then sees to everything."""
    folder = os.environ.get("DDL_ATTEMPT_DIR")
    return bool(folder) and bool(os.environ.get("DDL_ATTEMPT")) and Path(str(folder)).is_dir()


def pair_of(word: str) -> tuple[str, str]:
    """Return name and value of a word."""
    name, equals, value = word.partition("=")
    if not equals or not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise ValueError(f"Received: {word[:100]}. Expected: NAME=NUMBER, such as loss=0.31.")
    return name, value


def _number(name: str, text: str) -> int | float:
    number = number_of(text) if text.strip() else None
    if number is None:
        raise ValueError(f"Received: {name}={text[:100]}. Expected: a number, such as {name}=0.31.")
    if name in ("epoch", "step") and not math.isfinite(number):
        raise ValueError(f"Received: {name}={text[:100]}. Expected: a finite number.")
    return number
