"""Send this process signals. A test's own process is no place for them: whatever ran in it before might answer."""

from __future__ import annotations

import signal
import threading

import pytest

from ddl.training.stop_request import StopRequest


def remembered_and_then_as_before(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopRequest() as stop:
        assert stop.signal == 0
        signal.raise_signal(number)
        assert stop.signal == number
    assert signal.getsignal(number) is before


def second_ctrl_c_stops_at_once() -> None:
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)  # the first one
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert stop.signal == signal.SIGINT


def thread_leaves_signals_alone() -> None:
    before, kept = signal.getsignal(signal.SIGTERM), []

    def train() -> None:
        with StopRequest():
            kept.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert kept == [before]


if __name__ == "__main__":
    for one in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        remembered_and_then_as_before(one)
    second_ctrl_c_stops_at_once()
    thread_leaves_signals_alone()
    print("all as promised")
