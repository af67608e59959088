"""Signals ask a training to stop, and do what they did before once it is over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ddl.training.stop_request import signal_name
from ddl.training.stops import Interrupted
from tests.launch import REPOSITORY


def test_signals_are_remembered_and_then_do_what_they_did() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tests.training.signals_program"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stdout == "all as promised\n", result.stderr


def test_signals_have_the_names_that_people_use() -> None:
    assert [signal_name(number) for number in (15, 10, 2)] == ["SIGTERM", "SIGUSR1", "Ctrl-C"]


def test_an_interruption_says_where_it_goes_on() -> None:
    path = Path("run/checkpoints/epoch-0002.h5")
    assert str(Interrupted("SIGTERM", path, written=True)) == (
        f"Stopped by SIGTERM: {path} is written. --resume auto continues from there."
    )
    assert f"{path} is the last good checkpoint." in str(
        Interrupted("SIGTERM", path)
    )  # a full disk
    assert "no step was taken. --resume auto starts it again." in str(Interrupted("SIGTERM"))
