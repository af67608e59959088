"""MLPerf's log has the lines of one run in order, also after kills and resumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ddl.data.order import Position, SampleOrder
from ddl.training.plan.plan import Plan
from ddl.training.record.mlperf_log import (
    MLPerfLog,
    accuracy_name,
    check_log_file,
    kept_lines,
    log_line,
)
from ddl.training.run import Run
from tests.training.record.mlperf_grammar import check, parse


def make_run(folder: Path, position: Position = Position(), **fields: Any) -> Run:  # noqa: B008
    """Return a run at a position; every epoch before it has a loss of 1 / its number."""
    plan = Plan(run_dir=folder, epochs=3, mlperf_log=folder / "logs" / "mlperf.log", **fields)
    order = SampleOrder("global", 80, 8, 1, 0)
    run = Run(plan, order, 8, "", None, position)  # type: ignore[arg-type]
    for epoch in range(position.epoch):
        run.history.append({"epoch": epoch + 1, "seconds": 1.0, "val_loss": 1 / (epoch + 1)})
    return run


def open_log(run: Run) -> MLPerfLog:
    assert run.plan.mlperf_log is not None
    return MLPerfLog(run.plan.mlperf_log, run, 80, 20)


def train(run: Run, log: MLPerfLog, stop: str = "") -> None:
    """Go through the run's epochs as the loop does, until an event after which the process dies."""
    while not run.is_over:
        number = run.position.epoch + 1
        log.begin_epoch()
        if stop == f"epoch {number} begun":
            return
        log.end_steps()
        if stop == f"epoch {number} trained":
            return
        logs: dict[str, float] = {}
        if run.validates:
            log.begin_validation()
            logs = {"val_loss": 1 / number}
        run.end_epoch(logs, 0.1, 0.0)
        log.end_epoch()


def text_of(run: Run) -> str:
    assert run.plan.mlperf_log is not None
    return run.plan.mlperf_log.read_text()


def events_without_time(run: Run) -> list[dict[str, Any]]:
    return [event | {"time_ms": 0} for event in check(text_of(run))]


def test_a_run_has_its_lines_in_order(tmp_path: Path) -> None:
    run = make_run(tmp_path, optimizer_option={"gradient_accumulation_steps": 4}, seed=7)
    train(run, open_log(run))
    values = {event["key"]: event["value"] for event in check(text_of(run))}
    assert values["seed"] == 7
    assert values["global_batch_size"] == 8
    assert values["gradient_accumulation_steps"] == 4
    assert (values["train_samples"], values["eval_samples"]) == (80, 20)
    assert values["opt_name"] == "adam"
    assert values["eval_accuracy"] == pytest.approx(1 / 3)


def test_an_epoch_without_validation_has_no_eval(tmp_path: Path) -> None:
    run = make_run(tmp_path, validate_every_epochs=2)
    train(run, open_log(run))
    evals = [e["metadata"]["epoch_num"] for e in check(text_of(run)) if e["key"] == "eval_start"]
    assert evals == [2, 3]


@pytest.mark.parametrize(
    ("target", "epochs", "status"),
    [(None, 3, "success"), ("val_loss=0.5", 2, "success"), ("val_loss=0.1", 3, "aborted")],
)
def test_success_is_the_target_where_there_is_one(
    tmp_path: Path, target: str | None, epochs: int, status: str
) -> None:
    run = make_run(tmp_path, target=target)
    train(run, open_log(run))
    *_, stop = check(text_of(run))
    assert (len(run.history), stop["metadata"]) == (epochs, {"status": status})


@pytest.mark.parametrize(
    ("stop", "position"),
    [
        ("epoch 1 begun", Position()),
        ("epoch 2 begun", Position(1)),
        ("epoch 2 begun", Position(1, 4)),
        ("epoch 2 trained", Position(1, 4)),
        ("epoch 2 trained", Position(1, 10)),
        ("epoch 3 begun", Position(1)),
        ("epoch 3 begun", Position(2)),
        ("epoch 3 begun", Position(0, 3)),
    ],
)
def test_a_resumed_run_has_the_log_of_one_that_was_not_interrupted(
    tmp_path: Path, stop: str, position: Position
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    reference = make_run(whole)
    train(reference, open_log(reference))
    killed = make_run(cut)
    train(killed, open_log(killed), stop)
    with (cut / "logs" / "mlperf.log").open("a") as file:
        file.write(log_line("epoch_stop", epoch_num=1)[:40])  # a line cut short
    resumed = make_run(cut, position, resume="auto")
    train(resumed, open_log(resumed))
    assert events_without_time(resumed) == events_without_time(reference)


def test_a_finished_run_that_trains_on_continues_its_log(tmp_path: Path) -> None:
    first = make_run(tmp_path, target="val_loss=0.5")
    train(first, open_log(first))
    longer = make_run(tmp_path, Position(2), resume="2")
    train(longer, open_log(longer))
    assert [event["key"] for event in check(text_of(longer))].count("epoch_start") == 3


def test_a_diverged_run_is_aborted(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    log = open_log(run)
    log.begin_epoch()
    log.end_run("aborted")
    assert parse(text_of(run))[-1]["metadata"] == {"status": "aborted"}


def test_other_lines_in_the_file_are_dropped() -> None:
    lines = [log_line("run_start"), "hello\n", ':::MLLOG {"key": "x"}\n', ":::MLLOG [1]\n"]
    assert kept_lines(lines, Position()) == lines[:1]
    assert kept_lines(lines[1:], Position()) == []


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("of the user")
    with pytest.raises(ValueError, match=r"mlperf_log=.*log, which exists. Expected: a new file"):
        check_log_file(Plan(run_dir=tmp_path, mlperf_log=path))
    for other in (path, tmp_path):
        with pytest.raises(ValueError, match=r"which exists"):
            check_log_file(Plan(run_dir=tmp_path, mlperf_log=other, resume="auto"))
    path.write_text(log_line("init_start"))
    check_log_file(Plan(run_dir=tmp_path, mlperf_log=path, resume="auto"))
    with pytest.raises(ValueError, match=r"log is not a folder"):
        check_log_file(Plan(run_dir=tmp_path, mlperf_log=path / "inside"))


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "val_loss"),
        ({"monitor": "val_dice"}, "val_dice"),
        ({"monitor": "loss"}, "val_dice"),
        ({"monitor": "loss", "metric": ()}, "val_loss"),
        ({"target": "val_dice=0.9"}, "val_dice"),
    ],
)
def test_the_accuracy_is_what_the_run_aims_at(
    tmp_path: Path, fields: dict[str, Any], name: str
) -> None:
    assert accuracy_name(Plan(run_dir=tmp_path, **fields)) == name


def test_numbers_that_json_lacks_are_texts(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    log = open_log(run)
    log.begin_epoch()
    log.end_steps()
    log.begin_validation()
    run.end_epoch({"val_loss": float("nan")}, 0.1, 0.0)
    log.end_epoch()
    line = text_of(run).splitlines()[-2]
    assert json.loads(line.partition(" ")[2], parse_constant=pytest.fail)["value"] == "nan"
