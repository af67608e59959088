"""The log of a run, read and judged by MLPerf's own package. Its sister `test_mlperf_log.py` has the grammar."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch import REPOSITORY
from tests.training.record.test_mlperf_log import make_run, open_log, train

PACKAGE = "mlperf-logging==4.1.68"
JUDGE = REPOSITORY / "tests" / "training" / "record" / "mlperf_judge.py"


@pytest.mark.long("mlperf")
def test_mlperfs_own_parser_and_rules_accept_the_log(tmp_path: Path) -> None:
    folder = tmp_path / "package"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder, PACKAGE]
    subprocess.run(pip, check=True, timeout=250)
    run = make_run(tmp_path)
    train(run, open_log(run))
    log = tmp_path / "logs" / "mlperf.log"
    assert problems(log, folder) == []
    log.write_text(log.read_text().replace('"run_start"', '"run_begin"'))
    assert any("run_start" in text for text in problems(log, folder))


def problems(log: Path, folder: Path) -> list[str]:
    command = [sys.executable, JUDGE, log, folder]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found: list[str] = json.loads(result.stdout)
    return found
