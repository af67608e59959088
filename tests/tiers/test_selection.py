"""A marker alone decides in which tier a test runs, and no test is skipped for it."""

from __future__ import annotations

import pytest

TESTS = """
import pytest

def test_first(): pass

@pytest.mark.proof
def test_all_rows(): pass

@pytest.mark.long("kills")
def test_hundred_kills(): pass
"""


@pytest.fixture
def tests(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(
        test_rows=TESTS, test_heavy="import pytest\n\n@pytest.mark.proof\ndef test_one(): pass"
    )
    return pytester


def run(tests: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return tests.runpytest_inprocess(
        "-p", "tests.tiers.selection", "--strict-markers", "-v", *arguments
    )


@pytest.mark.parametrize(
    ("arguments", "passed"),
    [
        ([], ["test_first"]),
        (["--all"], ["test_one", "test_first", "test_all_rows"]),
        (["--long", "kills"], ["test_hundred_kills"]),
        (["test_rows.py::test_all_rows", "test_rows.py::test_first"], ["test_first"]),
    ],
    ids=" ".join,
)
def test_a_tier_runs_its_tests_alone(
    tests: pytest.Pytester, arguments: list[str], passed: list[str]
) -> None:
    result = run(tests, *arguments)
    ran = [line.split()[0].partition("::")[2] for line in result.outlines if " PASSED" in line]
    assert ran == passed
    assert result.parseoutcomes().get("skipped") is None


def test_it_is_said_when_all_tests_belong_to_another_tier(tests: pytest.Pytester) -> None:
    result = run(tests, "test_heavy.py")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "All 1 tests belong to another tier: add --all, or --long NAME." in result.outlines


def test_an_unknown_demand_gets_the_known_ones(tests: pytest.Pytester) -> None:
    result = run(tests, "--long", "kils")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("ERROR: Received: --long kils. Expected one of: kills, image, *")
