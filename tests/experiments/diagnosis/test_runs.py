"""The recorded runs of benchmarks/diagnosis.py: ill ones are named, well ones are left alone.

`python benchmarks/diagnosis.py FOLDER --fixtures tests/experiments/diagnosis/runs` records them anew, and
`./run_tests.sh --long diagnosis` makes the runs again.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.diagnosis import main
from benchmarks.diagnosis_cases import FRESH, ILL, WELL
from ddl.experiments.diagnosis.diagnose import diagnose
from ddl.experiments.diagnosis.evidence import expanded

RUNS = {path.stem: path for path in sorted((Path(__file__).parent / "runs").glob("*.json"))}


def checks(name: str) -> list[str]:
    """Return what is found of a recorded run."""
    values: dict[str, Any] = json.loads(RUNS[name].read_text())
    return [finding.check for finding in diagnose(*expanded(values))]


def test_all_runs_are_recorded() -> None:
    assert sorted(RUNS) == sorted(case.name for case in (*ILL, *WELL, *FRESH))
    assert sum(path.stat().st_size for path in RUNS.values()) < 400_000


@pytest.mark.parametrize("case", ILL, ids=lambda case: case.name)
def test_an_ill_run_is_named(case: Any) -> None:
    assert case.ill in checks(case.name)


@pytest.mark.parametrize("case", WELL, ids=lambda case: case.name)
def test_a_well_run_is_left_alone(case: Any) -> None:
    assert checks(case.name) == []


@pytest.mark.long("diagnosis")
@pytest.mark.timeout(3600)
def test_runs_that_are_made_anew_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(tmp_path)])
    told = capsys.readouterr().out
    counts = re.search(r"calibration: (\d+) of 12 ill runs named .*; (\d+) of 12 well", told)
    assert counts is not None, told
    assert int(counts[1]) >= 10
    assert int(counts[2]) <= 1
    print(told[told.index("calibration:") :])
