"""Signals ask a training to stop, and do what they did before once it is over."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest

from ddl.training.run import Interrupted
from ddl.training.stop_request import StopRequest, signal_name


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_is_remembered_and_then_does_what_it_did(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopRequest() as stop:
        assert stop.signal == 0
        signal.raise_signal(number)
        assert stop.signal == number
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_stops_at_once() -> None:
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)  # the first one
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert stop.signal == signal.SIGINT


def test_a_training_in_a_thread_leaves_signals_alone() -> None:
    before, kept = signal.getsignal(signal.SIGTERM), []

    def train() -> None:
        with StopRequest():
            kept.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert kept == [before]


def test_signals_have_the_names_that_people_use() -> None:
    assert [signal_name(number) for number in (15, 10, 2)] == ["SIGTERM", "SIGUSR1", "Ctrl-C"]


def test_an_interruption_says_where_it_goes_on() -> None:
    path = Path("run/checkpoints/epoch-0002.h5")
    assert str(Interrupted("SIGTERM", path, written=True)) == (
        f"Stopped by SIGTERM: {path} is written. --resume auto goes on from there."
    )
    assert f"{path} is the last good checkpoint." in str(
        Interrupted("SIGTERM", path)
    )  # a full disk
    assert "no step was taken. --resume auto starts it again." in str(Interrupted("SIGTERM"))
