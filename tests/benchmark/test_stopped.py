"""A benchmark that is stopped leaves nothing that computes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.launch import REPOSITORY, require

COMMAND = ("scripts/benchmark.py", "allreduce", "--ranks", "2", "--rounds", "100")


@pytest.mark.proof
@pytest.mark.ranks
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_stopped_benchmark_leaves_neither_mpirun_nor_ranks(number: signal.Signals) -> None:
    """Its small sister without ranks: `test_commands_end_with_the_process_that_started_them`."""
    require("mpirun")
    command, quiet = [sys.executable, *COMMAND], subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=quiet, stderr=quiet)
    own, children, deadline = psutil.Process(process.pid), [], time.monotonic() + 60
    while len(children) < 3 and time.monotonic() < deadline:  # mpirun and two ranks
        children = own.children(recursive=True)
        time.sleep(0.05)
    assert len(children) >= 3, children
    os.kill(process.pid, number)
    status = process.wait(30)
    assert status == (130 if number == signal.SIGINT else -number)
    _, left = psutil.wait_procs(children, timeout=15)
    assert [one for one in left if one.status() != psutil.STATUS_ZOMBIE] == []
