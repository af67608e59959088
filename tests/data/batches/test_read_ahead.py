"""Results keep the order of the tasks and stay within the bound, and threads end with their iterator."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ddl.data.batches.read_ahead import ReadAhead


def read_ahead(
    work: Callable[[int], int], tasks: Iterable[int], threads: int, ahead: int
) -> ReadAhead[int, int]:
    return ReadAhead(work, tasks, ThreadPoolExecutor(threads, "ddl-data"), ahead)


def threads_left() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("ddl-data")]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_order_however_long_each_takes(threads: int) -> None:
    waits = random.Random(0)

    def work(task: int) -> int:
        time.sleep(waits.random() / 500)
        return task * task

    assert list(read_ahead(work, range(60), threads, 2 * threads)) == [n * n for n in range(60)]
    assert threads_left() == []


def test_no_more_results_are_computed_than_the_bound() -> None:
    made = itertools.count()
    last = -1

    def work(task: int) -> int:
        nonlocal last
        last = next(made)
        return task

    results = read_ahead(work, itertools.count(), threads=3, ahead=4)
    for taken in range(20):
        assert next(results) == taken
        time.sleep(0.002)
        assert last < taken + 4
    results.close()
    assert list(results) == []


def test_threads_work_at_once() -> None:
    together = threading.Barrier(3)
    results = read_ahead(lambda _: together.wait(timeout=10), range(6), threads=3, ahead=6)
    assert len(list(results)) == 6  # the barrier breaks unless three threads reach it


def test_the_first_failure_in_order_is_raised_in_its_place() -> None:
    def work(task: int) -> int:
        if task == 3:
            time.sleep(0.05)
        if task in (3, 4):
            raise ValueError(f"task {task}")
        return task

    results = read_ahead(work, range(9), threads=4, ahead=8)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="task 3"):
        next(results)
    assert list(results) == []
    assert threads_left() == []


def test_a_failure_of_the_tasks_is_raised_too() -> None:
    results = read_ahead(abs, (1 // (2 - n) for n in range(9)), threads=1, ahead=1)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert threads_left() == []


def test_closing_ends_a_waiting_reader_and_cancels_queued_tasks() -> None:
    release, made = threading.Event(), []

    def work(task: int) -> int:
        made.append(task)
        release.wait(10)
        return task

    results = read_ahead(work, itertools.count(), threads=1, ahead=5)
    taken: list[int] = []
    waiting = threading.Thread(target=lambda: taken.extend(results))
    waiting.start()
    while not made:
        time.sleep(0.001)
    threading.Timer(0.02, release.set).start()
    results.close()
    waiting.join(5)
    assert not waiting.is_alive()
    assert made == [0]
    assert taken in ([], [0])
    results.close()


def test_threads_end_with_an_iterator_that_was_not_closed() -> None:
    results = read_ahead(abs, itertools.count(), threads=2, ahead=4)
    next(results)
    assert threads_left()
    del results
    deadline = time.monotonic() + 5
    while threads_left() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threads_left() == []
