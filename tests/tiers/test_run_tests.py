"""run_tests.sh says what it takes, refuses the rest in one line, and ends as it should; with checks that do nothing."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.tiers.demands import DEMANDS
from tests.tiers.workers import ROOT

STUB = """#!/bin/sh
echo "$(basename "$0") $*" >> ../calls
case "$*" in *"${SLOW:-nothing}"*) touch ../slow; exec sleep 20 ;; esac
exit "${STATUS:-0}"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a checkout in which each tool only notes how it was called."""
    folder = tmp_path / "checkout"
    for name in ("venv/bin", "tests/tiers", "tests/data"):
        (folder / name).mkdir(parents=True)
    shutil.copy(ROOT / "run_tests.sh", folder)
    shutil.copy(ROOT / "tests/tiers/demands.py", folder / "tests/tiers")
    for name in ("setup.sh", "venv/bin/ruff", "venv/bin/mypy", "venv/bin/python"):
        (folder / name).write_text(STUB)
        (folder / name).chmod(0o755)
    return folder


def start(checkout: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["./run_tests.sh", *arguments],
        cwd=checkout,
        env=os.environ | {"DDL_VENV": "venv"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(checkout: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    process = start(checkout, *arguments, **variables)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def pytest_calls(checkout: Path) -> list[str]:
    calls = (checkout.parent / "calls").read_text().splitlines()
    return [call.removeprefix("python -m ") for call in calls if call.startswith("python")]


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        ("", "pytest --durations=15 -n 2"),
        ("--all -x", "pytest --durations=15 -n 2 --all -x"),
        ("--long kills", "pytest --durations=15 --long kills"),
        ("tests/data -k order", "pytest --durations=15 tests/data -k order"),
        ("-- --lf", "pytest --durations=15 -n 2 --lf"),
    ],
)
def test_options_become_those_of_pytest(checkout: Path, arguments: str, call: str) -> None:
    status, out, err = run(checkout, *arguments.split())
    assert (status, err) == (0, "")
    assert pytest_calls(checkout) == [call]
    assert re.search(r"== so far\nsetup +ok .*\nruff +ok .*\nformat +ok .*\nmypy +ok .*\n", out)


def test_coverage_runs_around_pytest(checkout: Path) -> None:
    assert run(checkout, "--all", "--coverage")[0] == 0
    assert pytest_calls(checkout) == [
        "coverage erase",
        "coverage run -m pytest --durations=15 -n 2 --all",
        "coverage combine --quiet",
        "coverage report",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--al", "--al. Expected: --all, --long NAME, --coverage or --help;"),
        ("--long", "--long without a name. Expected: one of those that --help lists."),
        ("--long kils", f"--long kils. Expected one of: {', '.join(DEMANDS)}."),
        ("--all --long kills", "--all and --long. Expected: one of them."),
        ("tests/nowhere", "tests/nowhere, which does not exist. Expected: a file or folder"),
        ("-k", "-k without an expression. Expected: -k EXPRESSION."),
    ],
)
def test_what_it_does_not_know_gets_one_line(checkout: Path, arguments: str, message: str) -> None:
    status, out, err = run(checkout, *arguments.split())
    assert (status, out) == (2, "")
    assert err.startswith(f"run_tests: Received: {message}")
    assert err.count("\n") == 1
    assert not (checkout.parent / "calls").exists()


def test_help_lists_every_demand(checkout: Path) -> None:
    status, out, _ = run(checkout, "--help")
    assert status == 0
    assert re.findall(r"^  (\w+) +[a-z].*\)$", out, re.MULTILINE) == list(DEMANDS)


def test_a_failed_check_fails_the_run_after_all_others(checkout: Path) -> None:
    (checkout / "venv/bin/mypy").write_text("#!/bin/sh\nexit 1\n")
    status, out, _ = run(checkout)
    assert status == 1
    assert re.search(r"^mypy +FAILED", out, re.MULTILINE)
    assert pytest_calls(checkout)


@pytest.mark.parametrize("during", ["format --check", "pytest"])
def test_ctrl_c_ends_it_with_one_line_and_starts_nothing_more(checkout: Path, during: str) -> None:
    process = start(checkout, "--coverage", SLOW=during)
    deadline = time.monotonic() + 10
    while not (checkout.parent / "slow").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "run_tests: interrupted; the checks are not complete."
    assert during in (checkout.parent / "calls").read_text().splitlines()[-1]


def test_every_demand_has_a_test_and_every_test_a_demand() -> None:
    texts = [
        path.read_text() for path in ROOT.glob("tests/**/test_*.py") if path.parent.name != "tiers"
    ]
    marked = {
        name
        for text in texts
        for name in re.findall(r'^@pytest\.mark\.long\("(\w+)"\)$', text, re.M)
    }
    assert marked == set(DEMANDS)
