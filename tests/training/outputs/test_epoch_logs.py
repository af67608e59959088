"""The logs of numbers alone: no exponents, no double lines, and a full disk is one warning."""

from __future__ import annotations

import errno
import logging
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.data.order import Position, SampleOrder
from ddl.training.batch_results import Batch
from ddl.training.outputs import epoch_logs, line_file
from ddl.training.outputs.epoch_logs import (
    EpochLogs,
    check_epoch_log,
    kept_lines,
    number,
    train_line,
    validation_line,
)
from ddl.training.plan.plan import Plan
from ddl.training.run import Run

STEPS = 10
FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)


def make_run(folder: Path, position: Position = Position(), **fields: Any) -> Run:  # noqa: B008
    plan = Plan(run_dir=folder, epochs=3, epoch_log=folder / "logs" / "x", **fields)
    order = SampleOrder("global", 80, 8, 1, 0)
    run = Run(plan, order, 8, "", None, position)  # type: ignore[arg-type]
    for epoch in range(position.epoch):
        run.history.append(ended(epoch + 1))
    return run


def ended(epoch: int) -> dict[str, Any]:
    return {"epoch": epoch, "seconds": 1.0, "val_loss": 1 / epoch, "val_dice": 0.5}


def train(run: Run, stop: Position = Position(99), together: int = 3) -> None:  # noqa: B008
    """Go through the run's epochs as the loop does, up to a position at which the process is killed."""
    assert run.plan.epoch_log is not None
    logs = EpochLogs(run.plan.epoch_log, run)
    while not run.is_over:
        while run.position.step < STEPS:
            count = min(together, STEPS - run.position.step)
            first = run.position.step
            run.advance(count)
            logs.batches([Batch(0.5 / (first + k + 1), 1.5, 0.25) for k in range(count)])
            if run.position >= stop:
                return
        run.history.append(ended(run.position.epoch + 1))
        run.position = Position(run.position.epoch + 1)
        logs.end_epoch()


def lines(run: Run) -> tuple[list[str], list[str]]:
    """Return both files' lines without their seconds."""
    assert run.plan.epoch_log is not None
    texts = [path.read_text() for path in epoch_logs.log_paths(run.plan.epoch_log)]
    train_lines = [re.sub(r"^(\d+ \d+) \S+", r"\1", line) for line in texts[0].splitlines()]
    return train_lines, [re.sub(r"^(\d+) \S+", r"\1", line) for line in texts[1].splitlines()]


@settings(max_examples=40)
@given(FLOATS, FLOATS, FLOATS)
def test_a_reader_finds_the_epoch_first_and_the_accuracy_last(
    loss: float, norm: float, accuracy: float
) -> None:
    accuracy = abs(accuracy)
    batch = Batch(loss, abs(norm), accuracy)
    for line in (train_line(7, 3, 0.1, batch), validation_line(7, 0.1, loss, accuracy)):
        found = re.findall(r"[0-9]*\.?[0-9]+", line)
        assert float(found[0]) == 7
        expected = np.float32(accuracy if math.isfinite(accuracy) else 0)
        assert np.float32(found[-1]) == expected
        assert "e" not in line
        np.loadtxt([line])


def test_a_name_may_end_as_the_logs_do() -> None:
    for base in ("out/x", "out/x.txt"):
        assert [str(p) for p in epoch_logs.log_paths(Path(base))] == [
            "out/x_train.txt",
            "out/x_test.txt",
        ]


def test_what_does_not_exist_is_0() -> None:
    assert train_line(1, 2, 0.5, Batch(0.25, None, math.nan)) == "1 2 0.500 0.25 0.0 0.0\n"
    assert number(1e-12) == "0.000000000001"
    assert number(1e10) == "10000000000.0"


@pytest.mark.parametrize(
    ("killed_at", "resumed_at"),
    [
        (Position(1, 6), Position(1, 6)),
        (Position(1, 6), Position(1, 3)),
        (Position(1, 6), Position(1)),
        (Position(2, 9), Position(0, 3)),
        (Position(0, 3), Position()),
    ],
)
def test_a_resumed_run_has_the_logs_of_one_that_was_not_killed(
    tmp_path: Path, killed_at: Position, resumed_at: Position
) -> None:
    reference = make_run(tmp_path / "whole")
    train(reference, together=4)
    killed = make_run(tmp_path / "cut")
    train(killed, killed_at)
    with (tmp_path / "cut" / "logs" / "x_train.txt").open("a") as file:
        file.write("2 7 1.5 0.")  # cut short by the kill
    resumed = make_run(tmp_path / "cut", resumed_at, resume="auto")
    train(resumed)
    assert lines(resumed) == lines(reference)
    assert len(lines(resumed)[0]) == 3 * STEPS


def test_lines_of_others_are_dropped() -> None:
    ours = "1 2 0.500 0.25 0.0 0.0\n"
    others = ["hello\n", "1 2 3\n", "1 2 0.500 0.25 0.0 0.0", "2 1 0.500 0.25 0.0 0.0\n"]
    assert kept_lines([ours, *others], Position(0, 5)) == [ours]


def test_a_run_without_validation_has_an_empty_second_log(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert run.plan.epoch_log is not None
    logs = EpochLogs(run.plan.epoch_log, run)
    run.history.append({"epoch": 1, "seconds": 1.0})
    logs.end_epoch()
    assert lines(run) == ([], [])


def test_a_full_disk_is_one_warning_and_lines_are_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run(tmp_path)
    assert run.plan.epoch_log is not None
    logs = EpochLogs(run.plan.epoch_log, run)
    opened = line_file.open_to_append

    def full(path: Path) -> Any:
        with opened(path) as file:
            file.write("1 1 0.")  # a part of what was to be written
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(line_file, "open_to_append", full)
    with caplog.at_level(logging.WARNING, "ddl"):
        for _ in range(3):
            run.advance(1)
            logs.batches([Batch(1.0, 1.0, 1.0)])
    assert [record.getMessage().count("No space left") for record in caplog.records] == [1]
    monkeypatch.setattr(line_file, "open_to_append", opened)
    logs.close()
    assert [line.split()[1] for line in lines(run)[0]] == ["1", "2", "3"]


def test_a_deleted_log_is_made_again(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert run.plan.epoch_log is not None
    logs = EpochLogs(run.plan.epoch_log, run)
    for path in epoch_logs.log_paths(run.plan.epoch_log):
        path.unlink()
    run.advance(1)
    logs.batches([Batch(1.0, 1.0, 1.0)])
    assert lines_of_train(run) == 1


def lines_of_train(run: Run) -> int:
    assert run.plan.epoch_log is not None
    return len(epoch_logs.log_paths(run.plan.epoch_log)[0].read_text().splitlines())


@pytest.mark.parametrize("base", [".", "..", "file/x", "folder"])
def test_a_name_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("of the user")
    (tmp_path / "folder_test.txt").mkdir()
    with pytest.raises(ValueError, match="Received: epoch_log="):
        check_epoch_log(Plan(run_dir=tmp_path / "run", epoch_log=Path(base)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder_test.txt"]
