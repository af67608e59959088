"""Progress of a training: a bar that fits its terminal, lines in a log, and a time left that pauses do not spoil."""

from __future__ import annotations

import io
import itertools
import logging
import re
from collections.abc import Iterator

import pytest

from ddl import progress as home
from ddl.training.record import epoch_progress
from ddl.training.record.epoch_progress import TrainingProgress


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


class Lazy:
    """A value that takes a while to read, such as a tensor on a GPU."""

    read = 0

    def __float__(self) -> float:
        type(self).read += 1
        return 0.5


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(home, "time", clock)
    monkeypatch.setattr(epoch_progress, "time", clock)
    monkeypatch.delenv("TERM", raising=False)
    return clock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run_epoch(
    shown: TrainingProgress,
    clock: Clock,
    epoch: int,
    steps: int = 100,
    step_s: float = 0.125,
    pause_s: float = 0.0,
) -> None:
    shown.begin_epoch(epoch, steps)
    for done in range(1, steps + 1):
        clock.now_s += step_s
        shown.step(done, {"loss": 0.25, "dice": 0.75})
    clock.now_s += pause_s
    shown.end_epoch({"loss": 0.25, "dice": 0.75, "val_loss": 2e-5, "matrix": [[1.0, 2.0]]})


def test_a_test_shows_its_steps(clock: Clock) -> None:
    log = io.StringIO()
    shown = TrainingProgress(3, 1590, 16, stream=log)
    for step in range(1, 31):
        clock.now_s += 1
        shown.test(step, 30, "before training")
    assert log.getvalue().splitlines() == [
        f"test data before training  {step}/30" for step in (10, 20, 30)
    ]


def test_a_log_gets_a_line_every_ten_seconds_and_one_an_epoch(clock: Clock) -> None:
    log, kept = io.StringIO(), []
    shown = TrainingProgress(3, 1590, 16, stream=log, log=kept.append)
    for epoch in range(3):
        run_epoch(shown, clock, epoch, pause_s=5.0)
    lines = log.getvalue().splitlines()
    assert lines[0] == (
        "epoch 1/3  1280/1590  loss 0.2500  dice 0.7500  128.0 samples/s  0:00:02 left (whole run 0:00:28)"
    )
    assert lines[1] == (
        "epoch 1/3  loss 0.2500  dice 0.7500  val_loss 2e-05  127.2 samples/s  17.5 s  (0:00:35 left)"
    )
    assert lines[-1].endswith("127.2 samples/s  17.5 s")
    assert len(lines) == 6
    assert kept == [lines[1], lines[3], lines[5]]


def test_values_are_read_only_when_they_are_shown(clock: Clock) -> None:
    shown = TrainingProgress(1, 1000, 1, stream=io.StringIO())
    shown.begin_epoch(0, 1000)
    for done in range(1, 251):
        clock.now_s += 0.125
        shown.step(done, {"loss": Lazy()})
    assert Lazy.read == 3


@pytest.mark.parametrize("columns", [20, 40, 60, 79, 80, 120, 300])
def test_a_bar_fits_its_terminal(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setattr(home.StatusLine, "width", property(lambda _: columns - 1))
    terminal = Terminal()
    shown = TrainingProgress(50, 8000, 8, stream=terminal)
    run_epoch(shown, clock, 0, steps=1000)
    parts = re.split(r"\r|\n", terminal.getvalue())
    drawn = [part.removesuffix("\x1b[K") for part in parts if part.startswith("epoch")]
    assert max(map(len, drawn)) < columns
    assert len(drawn) == 500  # an eighth of a second a step, five a second at most
    assert ("[" in drawn[0]) == (columns >= 40)
    assert ("left" in drawn[0]) == (columns >= 60)
    assert ("dice" in drawn[0]) == (columns >= 120)
    assert terminal.getvalue().count("\n") == 1


def test_a_bar_says_all_there_is_where_there_is_room(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home.StatusLine, "width", property(lambda _: 150))
    terminal = Terminal()
    shown = TrainingProgress(50, 8000, 8, stream=terminal)
    shown.begin_epoch(2, 1000)
    for done in range(1, 501):
        clock.now_s += 0.125
        shown.step(done, {"loss": 0.25, "dice": 0.75})
    assert terminal.getvalue().endswith(
        "\repoch 3/50 [###############...............] 4000/8000  loss 0.2500  dice 0.7500  64.0 samples/s  "
        "0:01:02 left (whole run 1:38:58)\x1b[K"
    )
    shown.validate(3, 12)
    clock.now_s += 1
    shown.validate(4, 12)
    assert terminal.getvalue().endswith("\repoch 3/50  validation 4/12\x1b[K")
    shown.close()
    assert terminal.getvalue().endswith("\n")


def test_the_first_trace_and_pauses_do_not_spoil_the_time_left(clock: Clock) -> None:
    log = io.StringIO()
    shown = TrainingProgress(11, 800, 8, stream=log, every_s=0.125)
    shown.begin_epoch(0, 100)
    clock.now_s += 60  # tracing
    for done in range(1, 101):
        clock.now_s += 30 if done == 50 else 0.125  # a checkpoint
        shown.step(done, {})
        if done == 90:
            assert log.getvalue().splitlines()[-1] == (
                "epoch 1/11  720/800  64.0 samples/s  0:00:01 left (whole run 0:02:06)"
            )
    shown.end_epoch({})
    for epoch in range(1, 4):
        run_epoch(shown, clock, epoch, pause_s=10.0)
    assert "(0:02:38 left)" in log.getvalue().splitlines()[-1]  # seven epochs of 22.5 s


def test_an_epoch_resumed_in_the_middle_counts_what_it_does(clock: Clock) -> None:
    log = io.StringIO()
    shown = TrainingProgress(2, 800, 8, stream=log)
    shown.begin_epoch(0, 100, first_step=90)
    for done in range(91, 101):
        clock.now_s += 1.0
        shown.step(done, {})
    shown.end_epoch({})
    assert log.getvalue().splitlines()[-1] == "epoch 1/2  8.0 samples/s  10.0 s  (0:01:40 left)"


def test_short_epochs_have_a_rate(clock: Clock) -> None:
    log = io.StringIO()
    shown = TrainingProgress(100, 10, 5, stream=log)
    for epoch in range(10):
        run_epoch(shown, clock, epoch, steps=2, step_s=0.01)
    assert log.getvalue().splitlines()[-1].endswith("500.0 samples/s  0.0 s  (0:00:02 left)")


def test_a_launcher_or_a_dumb_terminal_gets_lines(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("OMPI_COMM_WORLD_SIZE", "2"), ("TERM", "dumb")):
        terminal = Terminal()
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            run_epoch(TrainingProgress(1, 100, 1, stream=terminal), clock, 0)
        assert "\r" not in terminal.getvalue(), name


def test_messages_do_not_land_in_the_bar(clock: Clock) -> None:
    terminal = Terminal()
    logger = logging.getLogger("ddl")
    handler = logging.StreamHandler(terminal)
    logger.addHandler(handler)
    shown = TrainingProgress(1, 100, 1, stream=terminal)
    try:
        shown.begin_epoch(0, 100)
        clock.now_s += 1
        shown.step(1, {})
        logger.warning("a word")
    finally:
        shown.close()
        logger.removeHandler(handler)
    assert terminal.getvalue().endswith("\r\x1b[Ka word\n")
    assert logger.handlers == []


def test_a_lost_terminal_does_not_end_the_training(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    calls = itertools.count()

    def fail(text: str) -> int:
        next(calls)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(terminal, "write", fail)
    run_epoch(TrainingProgress(1, 100, 1, stream=terminal), clock, 0)
    assert next(calls) == 1
