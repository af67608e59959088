"""The grammar of MLPerf's log lines, written down: https://github.com/mlcommons/logging, mllog, rule set 2.0 and later.

A line is the token ":::MLLOG ", then a JSON object with these six keys in this order. `time_ms` is a whole number of
milliseconds since 1970. Events follow each other as `ORDER` says; `epoch_num` counts from 1.
"""

from __future__ import annotations

import json
import re
from typing import Any

TOKEN = ":::MLLOG "
KEYS = ["namespace", "time_ms", "event_type", "key", "value", "metadata"]
TYPES = {"start": "INTERVAL_START", "stop": "INTERVAL_END"}
ONCE = ("seed", "global_batch_size", "gradient_accumulation_steps", "train_samples", "eval_samples")
SETTING = r"(?!init|run|epoch|eval_(?!samples))\w+ "
ORDER = re.compile(
    rf"init_start ({SETTING})+init_stop run_start "
    r"(epoch_start epoch_stop (eval_start eval_accuracy eval_stop )?)+run_stop "
)


def parse(text: str) -> list[dict[str, Any]]:
    """Return the events of a log, each line checked."""
    assert text.endswith("\n")
    return [_event(line) for line in text.splitlines()]


def _event(line: str) -> dict[str, Any]:
    assert line.startswith(TOKEN)
    event: dict[str, Any] = json.loads(line.removeprefix(TOKEN))
    assert list(event) == KEYS
    assert isinstance(event["time_ms"], int)
    assert event["event_type"] == TYPES.get(event["key"].rpartition("_")[2], "POINT_IN_TIME")
    assert isinstance(event["metadata"], dict)
    return event


def check(text: str) -> list[dict[str, Any]]:
    """Return the events of the log of a whole run, whose order, numbers and times are checked."""
    events = parse(text)
    keys = [event["key"] for event in events]
    assert ORDER.fullmatch("".join(f"{key} " for key in keys)), keys
    assert all(keys.count(key) == 1 for key in ONCE)
    times = [event["time_ms"] for event in events]
    assert times == sorted(times)
    numbers = [event["metadata"]["epoch_num"] for event in events if _is_of_epoch(event["key"])]
    assert numbers == sorted(numbers)
    assert sorted(set(numbers)) == list(range(1, numbers[-1] + 1))
    assert events[-1]["metadata"]["status"] in ("success", "aborted")
    return events


def _is_of_epoch(key: str) -> bool:
    return key.startswith(("epoch_", "eval_")) and key != "eval_samples"
