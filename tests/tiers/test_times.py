"""The table at the end counts each test once and adds up the time of its phases."""

from __future__ import annotations

import re

import pytest

from tests.tiers.times import Group, folder_of

TESTS = """
import pytest, time

@pytest.fixture
def slow(): time.sleep(0.3)

def test_good(slow): pass

def test_bad(): assert False

@pytest.mark.skip
def test_left_out(): pass
"""


def test_the_table_counts_tests_and_seconds(pytester: pytest.Pytester) -> None:
    pytester.mkpydir("data")
    pytester.path.joinpath("data/test_three.py").write_text(TESTS)
    result = pytester.runpytest_inprocess("-p", "tests.tiers.times", "--durations=1", "-rN")
    row = next(line.split() for line in result.outlines if re.match(r"data +\d", line))
    assert row[1:4] == ["1", "1", "1"]
    assert 0.3 <= float(row[4]) < 3
    assert re.match(r"=+ .*1 failed, 1 passed, 1 skipped in ", result.outlines[-1])


def test_no_table_without_times(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_good(): pass")
    result = pytester.runpytest_inprocess("-p", "tests.tiers.times")
    assert "time of each group" not in result.stdout.str()


def test_groups_are_the_folders_of_tests() -> None:
    assert folder_of("tests/data/sources/test_damage.py::test_a[tests/b::c]") == "tests/data"
    assert folder_of("tests/test_flags.py::test_a") == "tests"


def test_a_failed_teardown_counts_as_failed() -> None:
    group = Group()
    for when, outcome in (("setup", "passed"), ("call", "passed"), ("teardown", "failed")):
        group.add(pytest.TestReport("a", ("a", 0, "a"), {}, outcome, None, when, duration=1.0))  # type: ignore[arg-type]
    assert (group.count("passed"), group.count("failed"), group.seconds) == (0, 1, 3.0)
