"""A training on two ranks whose rank 0 is attacked from beginning to end gives the same bits as one left in peace.

Its small sister is test_server.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.distributed.watch.test_server import NOISE
from tests.launch import Result
from tests.training.interrupted_runs import SYNCED, differences, finish, start

PACED = Path(__file__).with_name("paced_program.py")
EPOCHS = 30  # of 5 steps and 3 of validation
IDLE = 2000

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]


def run_under_attack(run_dir: Path, is_open: bool, pace_s: float) -> tuple[Result, dict[str, int]]:
    """Train, and attack rank 0 as long as it lives. Return how both ended."""
    env = {"DDL_TEST_OPEN": str(int(is_open)), "DDL_TEST_PACE_S": str(pace_s)}
    job = start(run_dir, *SYNCED, "--epochs", str(EPOCHS), program=PACED, env=env)
    assert job.wait_until(lambda: len(job.ranks()) == 2), job.output
    command = [sys.executable, str(NOISE), str(job.ranks()[0].pid), "300", str(IDLE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as attack:
        result = job.wait(300)
        done = json.loads(attack.communicate()[0])
    return result, done


@pytest.mark.parametrize("is_open", [True, False], ids=["port open", "as it is"])
def test_two_thousand_idle_connections_and_a_megabyte_of_noise_a_second(
    is_open: bool, tmp_path: Path
) -> None:
    """For two minutes with the port kept open, which a real job closes at once; a short run as it is."""
    begin = time.monotonic()
    result, done = run_under_attack(tmp_path / "attacked", is_open, 0.5 if is_open else 0.05)
    assert result.returncode == 0, result.output
    assert "ddl:" not in result.output
    if is_open:
        assert time.monotonic() - begin > 110
        assert done["connected"] > IDLE
        assert done["noise_bytes"] > 10e6
    else:
        assert done["refused"] > 0 or done["connected"] == 0
    finish(tmp_path / "in_peace", *SYNCED, "--epochs", str(EPOCHS))
    assert differences(tmp_path / "attacked", tmp_path / "in_peace") == []
