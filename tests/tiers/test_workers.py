"""With xdist, all tests that start ranks are one worker's; a test that measures time has the machine for itself."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.tiers.alone import turn
from tests.tiers.workers import ROOT, STARTERS, find_group, sources, starts_ranks

PAUSE_S = 0.05


def test_a_file_that_starts_ranks_belongs_to_the_ranks() -> None:
    assert starts_ranks("tests/test_launch.py")  # by itself
    assert starts_ranks("tests/training/test_interruptions.py")  # by a helper of its folder
    assert find_group("tests/test_launch.py::test_a[b::c]") == "ranks"


def test_other_files_stay_together_and_a_folder_with_a_server_too() -> None:
    assert find_group("tests/data/test_order.py::test_a") == "tests/data/test_order.py"
    assert find_group("tests/scoring/test_score.py::test_a") == "tests/scoring"
    assert not starts_ranks("tests/test_notebooks.py")  # of launch.py it uses a path alone


def test_what_starts_ranks_is_still_called_so() -> None:
    for module, names in STARTERS.items():
        file = next(ROOT / path for path in sources(module, names[0]) if (ROOT / path).exists())
        for name in names:
            assert f" {name}(" in file.read_text(), f"{module}.{name} is gone: mend STARTERS"


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


def hold(folder: Path, alone: bool, got: threading.Event) -> None:
    with turn(folder, alone):
        got.set()
