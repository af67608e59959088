"""What must not end a job: a rank that is late, but within the limit, and a job that was stopped and continued.

The limit is 6 s, so that the tests are short; its default is 50.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from ddl.distributed.job.launcher import Placement
from ddl.distributed.job.settings import STALL_TIMEOUT_S, set_environment
from tests.launch import Job, Result

PROGRAM = Path(__file__).with_name("patient_program.py")
LIMIT_S = 6
LATE_S = 4.5
STOPPED_S = 8


@dataclass(frozen=True)
class Patient:
    """How the job ended, and what it had printed when it was stopped."""

    result: Result
    first_part: str
    began: bool


def run(folder: Path, late_s: float, stopped_s: float, launcher: str, limit_s: float) -> Patient:
    """Run a job in which rank 1 is late. Then stop all its ranks, and continue them."""
    waiting = folder / "waiting"
    env = {"DDL_STALL_TIMEOUT_S": str(limit_s)}
    job = Job([PROGRAM, str(late_s), waiting], 2, launcher, env)
    began = job.wait_until(waiting.exists, 300)
    time.sleep(1)  # Horovod has begun to count
    first_part, ranks = job.output, list(job.ranks().values()) if began else []
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for rank in ranks:
            rank.send_signal(number)
        time.sleep(stopped_s if number == signal.SIGSTOP and began else 0)
    return Patient(job.wait(300), first_part, began)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Patient:
    """Run the job that the tests below are about."""
    return run(tmp_path_factory.mktemp("patient"), LATE_S, STOPPED_S, "mpirun", LIMIT_S)


def test_a_first_step_that_is_late_on_one_rank_gets_the_whole_limit(patient: Patient) -> None:
    assert patient.began, patient.result.output


def test_no_warning_of_horovods_appears_while_a_rank_is_late(patient: Patient) -> None:
    assert "stall" not in patient.first_part
    assert "submitted" not in patient.first_part


def test_a_job_whose_ranks_were_all_stopped_and_continued_goes_on(patient: Patient) -> None:
    """For longer than the limit, as by Ctrl-Z or in a suspended Slurm job."""
    assert patient.result.returncode == 0, patient.result.output
    assert "every step was taken" in patient.result.output


@pytest.mark.proof
@pytest.mark.parametrize(
    ("launcher", "late_s", "stopped_s", "limit_s"),
    [("mpirun", 45, 75, STALL_TIMEOUT_S), ("horovodrun-gloo", LATE_S, STOPPED_S, LIMIT_S)],
)
def test_a_first_step_45_s_late_and_all_ranks_stopped_for_75_s_with_the_limit_of_50_s(
    tmp_path: Path, launcher: str, late_s: float, stopped_s: float, limit_s: float
) -> None:
    """At full size with mpirun, at a small one with Gloo."""
    ended = run(tmp_path, late_s, stopped_s, launcher, limit_s)
    assert ended.result.returncode == 0, ended.result.output
    assert "every step was taken" in ended.result.output


@pytest.mark.parametrize("limit_s", [5, 6.5, 10, 50, 600])
def test_a_late_rank_gets_the_whole_limit_and_little_more(
    limit_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, str] = {}
    monkeypatch.setattr("ddl.distributed.job.settings.os.environ", settings)
    set_environment(Placement("mpirun", 0, 2, 0, 2), limit_s)
    check_s = int(settings["HOROVOD_STALL_CHECK_TIME_SECONDS"])
    shutdown_s = int(settings["HOROVOD_STALL_SHUTDOWN_TIME_SECONDS"])
    assert shutdown_s >= limit_s
    assert shutdown_s > check_s > 0
    assert shutdown_s + 3 * check_s <= max(limit_s + 4, 1.13 * limit_s)


def test_without_a_limit_horovod_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, str] = {}
    monkeypatch.setattr("ddl.distributed.job.settings.os.environ", settings)
    set_environment(Placement("mpirun", 0, 2, 0, 2), 0)
    assert settings["HOROVOD_STALL_SHUTDOWN_TIME_SECONDS"] == "0"


def test_a_crash_does_not_hang_in_a_handler_of_ucx(monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, str] = {}
    monkeypatch.setattr("ddl.distributed.job.settings.os.environ", settings)
    set_environment(Placement("mpirun", 0, 2, 0, 2), 50)
    assert settings["UCX_HANDLE_ERRORS"] == "none"
