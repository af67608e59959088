"""With xdist, one worker has what calls the pool of ranks, and none is idle; a test that measures time is alone."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.tiers.alone import turn
from tests.tiers.workers import (
    POOL,
    ROOT,
    STARTERS,
    choose,
    find_group,
    find_kind,
    order,
    sources,
)

PAUSE_S = 0.05


def test_files_that_call_the_pool_are_known() -> None:
    assert find_kind("tests/distributed/test_numbers.py") == "pool"  # by itself
    assert find_kind("tests/training/test_interruptions.py") == "pool"  # by a helper
    assert find_kind("tests/ranks/test_pool.py") == "pool"


def test_files_that_start_ranks_of_their_own_are_known() -> None:
    assert find_kind("tests/test_launch.py") == "ranks"  # by itself
    assert find_kind("tests/distributed/watch/test_failure.py") == "ranks"
    assert find_kind("tests/scripts/test_refusals_of_jobs.py") == "ranks"
    assert find_kind("tests/test_notebooks.py") == "rest"  # uses a path of launch.py


def test_a_file_stays_together_and_a_folder_with_a_server_too() -> None:
    assert find_group("tests/data/test_order.py::test_a[b::c]") == "tests/data/test_order.py"
    assert find_group("tests/scoring/test_score.py::test_a") == "tests/scoring"
    assert find_kind("tests/scoring") == "rest"


def test_a_worker_takes_its_own_groups_and_then_helps_the_others() -> None:
    pool = ["tests/distributed/test_numbers.py", "tests/ranks/test_pool.py"]
    rest = ["tests/test_launch.py", "tests/scoring", "tests/data/test_order.py"]
    waiting = [*pool, *rest]
    assert choose(waiting, first_worker=True) == pool[0]
    assert choose(waiting, first_worker=False) == rest[0]
    assert choose(rest, first_worker=True) == rest[-1]
    assert choose(pool, first_worker=False) == pool[-1]
    assert sorted([*rest[::-1], *pool], key=order) == waiting


def test_what_the_groups_are_found_by_is_still_called_so() -> None:
    for function in (*POOL, *STARTERS):
        module, _, name = function.rpartition(".")
        file = next(ROOT / path for path in sources(module, name) if (ROOT / path).exists())
        assert re.search(rf"\b{name}\b", file.read_text("utf-8")), f"{function} is gone"


def test_tests_share_a_turn(tmp_path: Path) -> None:
    beside = threading.Event()
    with turn(tmp_path, alone=False):
        other = threading.Thread(target=hold, args=(tmp_path, False, beside))
        other.start()
        assert beside.wait(5)
        other.join()


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True)])
def test_a_test_alone_shares_with_none(tmp_path: Path, first: bool, second: bool) -> None:
    beside = threading.Event()
    other = threading.Thread(target=hold, args=(tmp_path, second, beside))
    with turn(tmp_path, alone=first):
        other.start()
        assert not beside.wait(PAUSE_S)
    assert beside.wait(5)
    other.join()


def test_a_test_alone_comes_before_those_that_start_later(tmp_path: Path) -> None:
    alone, later = threading.Event(), threading.Event()
    first = threading.Thread(target=hold, args=(tmp_path, True, alone))
    second = threading.Thread(target=hold, args=(tmp_path, False, later))
    with turn(tmp_path, alone=False):
        first.start()
        time.sleep(PAUSE_S)
        second.start()
        assert not later.wait(PAUSE_S)  # though it could share the turn of this thread
    assert alone.wait(5)
    assert later.wait(5)
    first.join()
    second.join()


def test_a_child_that_a_test_leaves_behind_keeps_nobody_waiting(tmp_path: Path) -> None:
    with turn(tmp_path, alone=True):
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
    try:
        got = threading.Event()
        threading.Thread(target=hold, args=(tmp_path, True, got), daemon=True).start()
        assert got.wait(5)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def hold(folder: Path, alone: bool, got: threading.Event) -> None:
    with turn(folder, alone):
        got.set()
