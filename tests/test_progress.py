"""A bar on a terminal, lines in a log, and a rate that counts only the work of this run."""

from __future__ import annotations

import io

import pytest

from ddl import progress
from ddl.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_log_gets_a_line_every_five_seconds(clock: list[float]) -> None:
    log = io.StringIO()
    shown = Progress("pictures", 100, log)
    for done in range(40, 101):
        shown.show(done)
        clock[0] += 0.5
    lines = log.getvalue().splitlines()
    assert lines[0] == "pictures: 40 of 100"
    assert lines[1] == "pictures: 50 of 100, 2.0/s, 25 s left"
    assert lines[-1] == "pictures: 100 of 100, 2.0/s, 0 s left"
    assert len(lines) == 7


def test_a_terminal_gets_a_bar_on_one_line(clock: list[float]) -> None:
    terminal = Terminal()
    shown = Progress("pictures", 10, terminal)
    for done in range(11):
        shown.show(done)
        clock[0] += 1
    shown.close()
    assert terminal.getvalue().count("\n") == 1
    assert "\r[###############...............] pictures: 5 of 10, 1.0/s, 5 s left" in (
        terminal.getvalue()
    )


def test_an_unfinished_bar_ends_with_a_newline(clock: list[float]) -> None:
    terminal = Terminal()
    shown = Progress("pictures", 10, terminal)
    shown.show(1)
    shown.close()
    assert terminal.getvalue().endswith("\n")
