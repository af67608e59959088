"""What is done beside a command: history, rules, findings, events."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from ddl.experiments.agent.attempt.beside import Beside
from ddl.experiments.agent.layout import AttemptFolder, ExperimentFolder
from ddl.experiments.watching.history import read_history
from tests.experiments.agent.worlds import World, lines_of, wait_for

NAMED = "ddl-1f2e3d4c-001-a"


class Clock:
    def __init__(self) -> None:
        self.now = 2e9

    def __call__(self) -> float:
        self.now += 20
        return self.now


def made(store: Path, number: int = 1, attempt: int = 1) -> AttemptFolder:
    folder = ExperimentFolder(store / f"{number:03d}-x").attempt(attempt)
    folder.path.mkdir(parents=True)
    return folder


def beside(attempt: AttemptFolder, *rules: str, **record: Any) -> Beside:
    watch = [{"name": f"rule{number}", "text": text} for number, text in enumerate(rules)]
    name = f"{NAMED}{attempt.number}"
    folder = attempt.path
    return Beside(attempt, {"watch": watch, **record}, name, folder, dict(os.environ), Clock())


def recorded(attempt: AttemptFolder, **values: float) -> None:
    with attempt.record.open("a") as file:
        print(json.dumps(values), file=file)


def test_recorded_rows_become_the_history(tmp_path: Path):
    attempt = made(tmp_path)
    reader = beside(attempt)
    recorded(attempt, epoch=1, loss=0.5)
    assert reader.poll(ended=True) == []
    [row] = read_history(attempt.experiment.history)["rows"]
    assert (row["epoch"], row["loss"], row["attempt"]) == (1, 0.5, 1)
    assert (reader.epochs, reader.new_rows) == (1, 1)


def test_a_rule_stops_with_a_finding_and_an_event(tmp_path: Path):
    attempt = made(tmp_path)
    reader = beside(attempt, "loss > 1 -> stop, mail")
    recorded(attempt, epoch=1, loss=2)
    [order] = reader.poll(ended=True)
    assert (order.how, order.by) == ("stop", "rule rule0")
    [finding] = lines_of(attempt.findings)
    assert (finding["rule"], finding["action"], finding["epoch"]) == ("rule0", "stop, mail", 1)
    [event] = lines_of(attempt.events)
    assert (event["id"], event["kind"]) == ("1f2e3d4c/001/a1/rule/rule0-1", "rule")
    assert event["details"]["actions"] == ["stop", "mail"]


def test_what_has_fired_does_not_fire_again_in_the_next_attempt(tmp_path: Path):
    first = made(tmp_path)
    recorded(first, epoch=1, loss=2)
    assert beside(first, "loss > 1 -> stop").poll(ended=True)
    second = made(tmp_path, attempt=2)
    recorded(second, epoch=2, loss=3)
    assert beside(second, "loss > 1 -> stop").poll(ended=True) == []


def test_a_rule_that_cannot_be_read_is_told_and_the_others_hold(tmp_path: Path):
    attempt = made(tmp_path)
    reader = beside(attempt, "loss >>> 1 -> dance", "loss > 1 -> kill")
    recorded(attempt, epoch=1, loss=2)
    assert [order.how for order in reader.poll(ended=True)] == ["kill"]
    assert lines_of(attempt.findings)[0]["rule"] == "rule0"


def test_the_group_is_the_other_experiments_of_the_same_group(tmp_path: Path):
    for number, group in ((2, "a"), (3, "b"), (4, "a")):
        other = made(tmp_path, number)
        other.experiment.experiment.write_text(json.dumps({"group": group}))
        rows = [{"epoch": 1, "time": 1, "attempt": 1, "speed": 100 if group == "a" else 1}]
        other.experiment.history.write_text(json.dumps({"format": 1, "rows": rows}))
    attempt = made(tmp_path)
    reader = beside(attempt, "speed < 0.5 * median(group, speed) -> warn", group="a")
    recorded(attempt, epoch=1, speed=20)
    reader.poll(ended=True)
    assert [finding["rule"] for finding in lines_of(attempt.findings)] == ["rule0"]


def test_silence_fires_without_a_row_and_output_ends_it(tmp_path: Path):
    attempt = made(tmp_path)
    reader = beside(attempt, "no progress in 3 min -> warn")
    for size in range(20):  # 40 s each
        attempt.out_log.write_text("x" * size)
        reader.poll()
    assert lines_of(attempt.findings) == []
    for _ in range(20):
        reader.poll()
    assert [finding["rule"] for finding in lines_of(attempt.findings)] == ["rule0"]


def test_a_rule_starts_a_program_of_the_user(tmp_path: Path):
    attempt = made(tmp_path)
    program = attempt.path / "tell"
    program.write_text("#!/bin/sh\ncat > told\n")
    program.chmod(0o755)
    reader = beside(attempt, "loss > 1 -> command tell")
    recorded(attempt, epoch=1, loss=2)
    reader.poll(ended=True)
    told = attempt.path / "told"
    wait_for(lambda: told.exists() and told.read_text())
    assert json.loads(told.read_text())["rule"] == "rule0"
    wait_for(lambda: not reader.poll() and not reader._commands._running)
    reader.close()


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        (None, "Expected: a program in PATH"),
        ("#!/bin/sh\nexit 3\n", "status 3"),
        ("no program", "command tell"),
    ],
)
def test_a_program_that_fails_is_told(tmp_path: Path, program: str | None, problem: str):
    attempt = made(tmp_path)
    if program is not None:
        (attempt.path / "tell").write_text(program)
        (attempt.path / "tell").chmod(0o755)
    reader = beside(attempt, "loss > 1 -> command tell")
    recorded(attempt, epoch=1, loss=2)
    reader.poll(ended=True)
    wait_for(lambda: reader.poll() or len(lines_of(attempt.findings)) == 2)
    assert problem in lines_of(attempt.findings)[-1]["text"]
    reader.close()


def test_a_program_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ddl.experiments.agent.attempt.rule_commands.LIMIT_S", 0.2)
    attempt = made(tmp_path)
    (attempt.path / "tell").write_text("#!/bin/sh\nsleep 60\n")
    (attempt.path / "tell").chmod(0o755)
    reader = beside(attempt, "loss > 1 -> command tell")
    recorded(attempt, epoch=1, loss=2)
    reader.poll(ended=True)
    wait_for(lambda: reader.poll() or len(lines_of(attempt.findings)) == 2)
    assert "did not end within" in lines_of(attempt.findings)[-1]["text"]


def test_an_earlier_history_is_kept_when_nothing_comes(tmp_path: Path):
    attempt = made(tmp_path)
    text = json.dumps({"format": 1, "rows": [{"epoch": 1, "time": 1, "attempt": 1, "loss": 1}]})
    attempt.experiment.history.write_text(text)
    beside(attempt).poll(ended=True)
    assert attempt.experiment.history.read_text() == text


def test_a_hopeless_run_is_stopped_on_the_node(world: World):
    (world.folder / "train.py").write_text(
        "import sys, time\n"
        "for epoch in range(1, 1000):\n"
        "    print(f'epoch {epoch} val_dice 0.1', flush=True)\n"
        "    time.sleep(0.1)\n"
    )
    record = {
        "watch": [{"name": "hopeless", "text": "val_dice < 0.6 after 3 epochs -> stop"}],
        "variables": [{"from": "stdout", "pattern": "{name} {value}"}],
    }
    attempt = world.simple(1, sys.executable, "train.py", record=record)
    world.start(attempt)
    status = world.status(attempt)
    assert (status["outcome"], status["by"]) == ("stopped", "rule hopeless")
    assert 3 <= status["epochs"] < 60
    assert json.loads(attempt.stop.read_text())["by"] == "rule hopeless"
    kinds = [event["kind"] for event in lines_of(attempt.events)]
    assert kinds == ["started", "rule", "stopped"]


@pytest.mark.parametrize("command", ["shell", "python"])
def test_any_program_gives_the_same_history(world: World, command: str):
    if command == "shell":
        attempt = world.shell(1, "for e in 1 2 3; do echo epoch $e loss 0.$e; done")
    else:
        code = "[print('epoch', e, 'loss', e / 10) for e in (1, 2, 3)]"
        attempt = world.simple(1, sys.executable, "-c", code)
    world.start(attempt)
    assert world.status(attempt)["epochs"] == 3
    rows = read_history(attempt.experiment.history)["rows"]
    assert [(row["epoch"], row["loss"]) for row in rows] == [(1, 0.1), (2, 0.2), (3, 0.3)]
