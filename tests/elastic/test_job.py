"""A job of real processes, with small Python programs in place of a launcher and its ranks."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from ddl.elastic.job import LaunchedJob

RANKS = {"a": 1, "b": 1}
LAUNCHER = """
import os, signal, subprocess, sys, time
asked = []
signal.signal(signal.SIGUSR1, lambda *_: asked.append(1))
child = subprocess.Popen(
    [sys.executable, "-c", "import time; time.sleep(60)"],
    env={**os.environ, "OMPI_COMM_WORLD_RANK": "1"}, start_new_session=True,
)
print("up", child.pid, flush=True)
while not asked:
    time.sleep(0.01)
child.kill()
sys.exit(75)
"""


def start(program: str, passes_signals: bool = True) -> LaunchedJob:
    return LaunchedJob([sys.executable, "-c", program], RANKS, passes_signals)


def wait(job: LaunchedJob, timeout_s: float = 20.0) -> int:
    """Return its exit status."""
    deadline = time.monotonic() + timeout_s
    while (status := job.poll()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return status


def child_of(capfd: pytest.CaptureFixture[str]) -> int:
    """Wait until the launcher says which child it has, and return the child's pid."""
    text = ""
    deadline = time.monotonic() + 20
    while not text.endswith("\n"):
        assert time.monotonic() < deadline
        text += capfd.readouterr().out
        time.sleep(0.01)
    return int(text.split()[-1])


def is_gone(pid: int) -> bool:
    """Return whether a process has ended."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_output_and_status_pass_through(capfd: pytest.CaptureFixture[str]) -> None:
    job = start("import sys; print('a \\u00e9'); print('b', file=sys.stderr); sys.exit(4)")
    assert wait(job) == 4
    seen = capfd.readouterr()
    assert (seen.out, seen.err) == ("a \u00e9\n", "b\n")


def test_who_failed_is_read_from_its_output() -> None:
    job = start("print('ddl: rank 1 (host n2, pid 7) died (killed). Ending the job.')")
    wait(job)
    assert (job.blame.rank, job.blame.host) == (1, "b")


def test_a_launcher_that_passes_signals_on_is_asked_to_stop(
    capfd: pytest.CaptureFixture[str],
) -> None:
    job = start(LAUNCHER)
    child_of(capfd)
    assert job.ask_stop()
    assert wait(job) == 75


def test_a_rank_is_asked_where_the_launcher_passes_no_signal_on(
    capfd: pytest.CaptureFixture[str],
) -> None:
    job = start(LAUNCHER, passes_signals=False)
    rank = child_of(capfd)
    assert job.ask_stop()
    deadline = time.monotonic() + 10
    while not is_gone(rank):  # SIGUSR1 ends a program without a handler
        assert time.monotonic() < deadline
        time.sleep(0.01)
    job.kill()
    assert wait(job) == -signal.SIGTERM


def test_nobody_can_be_asked_where_no_rank_is_on_this_machine() -> None:
    job = start("import time; time.sleep(60)", passes_signals=False)
    assert not job.ask_stop()
    job.kill()
    wait(job)


def test_what_a_killed_launcher_leaves_is_killed(capfd: pytest.CaptureFixture[str]) -> None:
    job = start(LAUNCHER)
    child = child_of(capfd)
    job._process.kill()
    assert wait(job) == -signal.SIGKILL
    assert is_gone(child)


def test_a_launcher_that_ignores_the_end_is_killed(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ddl.elastic.job._TERM_S", 0.1)
    job = start(
        "import os, signal, time; signal.signal(15, signal.SIG_IGN); print('up', os.getpid(), flush=True); "
        "time.sleep(60)"
    )
    child_of(capfd)
    job.kill()
    assert wait(job) == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux does it")
def test_a_job_is_asked_to_stop_when_its_parent_is_killed(tmp_path: Path) -> None:
    mark = tmp_path / "stopped"
    child = f"""
import signal, sys, pathlib, time
def stop(*_): pathlib.Path({str(mark)!r}).touch(); sys.exit()
signal.signal(signal.SIGUSR1, stop)
print("up", flush=True)
time.sleep(60)
"""
    parent = (
        "import sys, time\n"
        "from ddl.elastic.job import LaunchedJob\n"
        f"job = LaunchedJob([sys.executable, '-c', {child!r}], {{'a': 1}}, True)\n"
        "time.sleep(60)\n"
    )
    process = psutil.Popen(
        [sys.executable, "-c", parent],
        stdout=-1,
        env={**os.environ, "PYTHONPATH": os.getcwd()},  # noqa: PTH109
    )
    with process.stdout:
        assert process.stdout.readline() == b"up\n"
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while not mark.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
