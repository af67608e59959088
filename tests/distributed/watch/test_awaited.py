"""The end of a job waits a moment for work in other threads."""

from __future__ import annotations

import threading
import time

from ddl.distributed.watch import awaited


def test_nothing_is_waited_for_without_work() -> None:
    began_s = time.monotonic()
    awaited.wait(30)
    assert time.monotonic() - began_s < 5


def test_work_under_way_is_waited_for() -> None:
    done = []
    begun = threading.Event()

    def work() -> None:
        with awaited.awaited():
            begun.set()
            time.sleep(0.2)
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(10)
    awaited.wait(30)
    assert done == [1]
    thread.join()


def test_work_that_fails_or_takes_too_long_is_not() -> None:
    release = threading.Event()

    def work() -> None:
        with awaited.awaited():
            release.wait(30)

    thread = threading.Thread(target=work)
    thread.start()
    began_s = time.monotonic()
    awaited.wait(0.1)
    assert time.monotonic() - began_s < 10
    release.set()
    thread.join()
    awaited.wait(30)
    assert not awaited._threads
