"""With xdist, tests that call the pool of ranks are one worker's; a test that measures time has no company."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.tiers.alone import turn
from tests.tiers.workers import POOL, ROOT, STARTERS, find_group, sources

PAUSE_S = 0.05


def test_files_that_call_the_pool_are_one_group() -> None:
    assert find_group("tests/distributed/test_numbers.py::test_a") == "pool"  # by itself
    assert find_group("tests/training/test_interruptions.py::test_a") == "pool"  # by a helper
    assert find_group("tests/ranks/test_pool.py::test_a") == "pool"


def test_files_that_start_ranks_of_their_own_are_another_group() -> None:
    assert find_group("tests/test_launch.py::test_a[b::c]") == "ranks"  # by itself
    assert find_group("tests/distributed/watch/test_failure.py::test_a") == "ranks"
    assert find_group("tests/scripts/test_refusals_of_jobs.py::test_a") == "ranks"


def test_other_files_stay_together_and_a_folder_with_a_server_too() -> None:
    for file in ("tests/data/test_order.py", "tests/test_notebooks.py"):  # uses a path of launch.py
        assert find_group(f"{file}::test_a") == file
    assert find_group("tests/scoring/test_score.py::test_a") == "tests/scoring"


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
