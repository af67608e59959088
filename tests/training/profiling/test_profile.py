"""A profile tells what was made slow, of whom, and leaves what is learned as it was."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ddl.training.plan.plan import Plan
from ddl.training.profiling.profile import profiling
from tests.launch import run_ranks
from tests.training.profiling.profile_program import PROFILED, SLEEP_S

INPUT, COMPUTE, REDUCTION, WAITING, PYTHON = range(5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("profile")
    result = run_ranks(["-m", "tests.training.profiling.profile_program", made], 2)
    assert result.returncode == 0, result.output
    (made / "output").write_text(result.output)
    return made


@pytest.mark.alone  # the fixture measures
def test_slow_data_of_one_rank_are_waited_for_by_the_other(folder: Path) -> None:
    facts = json.loads((folder / f"run-{PROFILED}/profile/steps.json").read_text())
    fast, slow = facts["median_of_rank"]
    assert slow[INPUT] > 500 * SLEEP_S > 5 * fast[INPUT]
    assert fast[WAITING] > 500 * SLEEP_S > 5 * slow[WAITING]
    assert fast[REDUCTION] == slow[REDUCTION] > 0
    assert min(fast[COMPUTE], slow[COMPUTE], fast[PYTHON], slow[PYTHON]) > 0
    assert sum(fast) == pytest.approx(sum(slow), rel=0.2)
    assert [len(steps) for steps in facts["steps_of_rank"]] == [PROFILED] * 2
    assert facts["first_step"] == 11


def test_it_is_said_once_on_the_screen_and_in_the_log(folder: Path) -> None:
    last = rf"Rank 1 is the last in \d of {PROFILED} steps: its input"
    line = r"A step takes .* ms: input .*%\), .* mean of 2 ranks\. " + last
    assert len(re.findall(line, (folder / "output").read_text())) == 1
    assert len(re.findall(line, (folder / f"run-{PROFILED}/log.txt").read_text())) == 1


def test_weights_are_those_of_a_run_without(folder: Path) -> None:
    found = re.findall(r'"weights": "(\w+)"', (folder / "output").read_text())
    assert len(found) == 4
    assert len(set(found)) == 1


def test_traces_are_whole(folder: Path) -> None:
    profile = folder / f"run-{PROFILED}/profile"
    names = {
        event["args"].get("name", "")
        for event in json.loads((profile / "horovod_timeline.json").read_text())
        if event.get("name") == "process_name"
    }
    assert any("GroupedAllreduce" in name for name in names), names
    assert [path.stat().st_size > 10_000 for path in profile.glob("trace/**/*.xplane.pb")] == [True]
    assert not (folder / f"run-{PROFILED}/profile.partial").exists()
    assert not (folder / "run-0/profile").exists()


def test_a_training_that_is_too_short_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run: Any = SimpleNamespace(plan=Plan(run_dir=tmp_path, profile=6), is_over=False)
    with profiling(run) as profile:
        profile.taken = 21
    assert "profile=6 needs 22 steps, but the run took 21" in caplog.text
    with profiling(run) as profile:
        profile.taken = 22
    assert caplog.text.count("needs 22 steps") == 1


def test_nothing_is_made_where_nobody_asks(tmp_path: Path) -> None:
    run: Any = SimpleNamespace(plan=Plan(run_dir=tmp_path), is_over=False)
    with profiling(run) as profile:
        assert profile is None
