"""A run that is killed, interrupted or out of time resumes, and ends with the bits of an uninterrupted one.

`python -m tests.training.kill_again` does the same at as many random moments as one likes.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest

from ddl.data.order import Position
from ddl.training.checkpoint.checkpoint_folder import list_checkpoints
from tests.launch import Job, Result
from tests.scripts.in_process import call
from tests.training.interrupted_runs import (
    EAGER,
    LOCAL,
    OFTEN,
    SCRIPT,
    SYNCED,
    differences,
    finish,
    is_writing,
    kill,
    no_traceback_of_ours,
    plain_output,
    reached,
    start,
)

STEPS = 5  # of an epoch
SIX = (*SYNCED, "--epochs", "6")
UNTIL_IT_ENDS = (*LOCAL, "--epochs", "200")

pytestmark = pytest.mark.timeout(900)  # on a busy machine


def some_first(cases: Mapping[str, object], *first: str) -> list[object]:
    """Return the names of all cases, marked so that the first tier takes those alone."""
    return [
        name if name in first else pytest.param(name, marks=pytest.mark.proof) for name in cases
    ]


def rank_0(job: Job) -> list[psutil.Process]:
    return [job.ranks()[0]]


def rank_1(job: Job) -> list[psutil.Process]:
    return [job.ranks()[1]]


def all_ranks(job: Job) -> list[psutil.Process]:
    return [*job.ranks().values()]


def launcher(job: Job) -> list[psutil.Process]:
    return [psutil.Process(job.process.pid)]


def everything(job: Job) -> list[psutil.Process]:
    return [*launcher(job), *all_ranks(job)]


def to_launcher(number: signal.Signals) -> Callable[[Job], None]:
    """Return what sends a signal to mpirun."""
    return lambda job: job.process.send_signal(number)


def press_ctrl_c(job: Job) -> None:
    """Do what a terminal does: interrupt the whole process group in front."""
    os.killpg(job.process.pid, signal.SIGINT)


def to_rank(rank: int, number: signal.Signals) -> Callable[[Job], None]:
    """Return what sends a signal to one rank."""
    return lambda job: job.ranks()[rank].send_signal(number)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that the tests below kill one after the other, and resume each time."""
    return tmp_path_factory.mktemp("runs") / "killed"


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that the tests below stop one after the other, and resume each time."""
    return tmp_path_factory.mktemp("runs") / "stopped"


HALF_WRITTEN: list[bool] = []
KILLS: dict[str, tuple[Callable[[Job], list[psutil.Process]], Callable[[Path], bool]]] = {
    "rank 0": (rank_0, lambda run: reached(run) >= Position(1, 1) and is_writing(run)),
    "launcher": (launcher, lambda run: reached(run) >= Position(1, 2)),
    "everything": (everything, lambda run: reached(run) >= Position(1, STEPS)),
    "rank 1": (rank_1, lambda run: reached(run) >= Position(3, 3) and is_writing(run)),
    "all ranks": (all_ranks, lambda run: True),
}


@pytest.mark.parametrize("whom", some_first(KILLS, "rank 0"))
def test_killed_at_any_moment_it_keeps_its_checkpoints(whom: str, killed: Path) -> None:
    victims, moment = KILLS[whom]
    before = reached(killed)
    job = start(killed, *SIX, *OFTEN, program=EAGER)
    assert job.wait_until(lambda: len(job.ranks()) == 2), job.output
    doomed = victims(job)  # looked up before: a file is being written for milliseconds
    assert job.wait_until(lambda: moment(killed)), job.output
    kill(doomed)
    result = job.wait(60)
    assert result.returncode not in (0, 1), result.output
    assert not result.timed_out, result.output
    assert no_traceback_of_ours(result), result.output
    assert reached(killed) >= before
    HALF_WRITTEN.append(is_writing(killed))


@pytest.mark.proof
def test_a_kill_came_while_a_checkpoint_was_being_written() -> None:
    assert any(HALF_WRITTEN)


def test_after_kills_and_a_damaged_checkpoint_it_ends_with_the_same_bits(
    killed: Path, tmp_path: Path
) -> None:
    reference = tmp_path / "reference"
    finish(reference, *SIX)
    spoil(list_checkpoints(killed / "checkpoints")[-1][1])
    result = finish(killed, *SIX)
    assert re.search(r"epoch-000\d.*\.h5 is damaged \(its checksum does not match\)", result.output)
    assert differences(killed, reference) == []
    assert not is_writing(killed)  # what the killed ones left is gone


IN_TRAINING, IN_VALIDATION = r"epoch \d+/200 +1[28]/27", r"epoch \d+/200  validation 1"
STOPS: dict[str, tuple[str, Callable[[Job], None], str, int, str]] = {
    "SIGUSR1 to the launcher": (IN_TRAINING, to_launcher(signal.SIGUSR1), "mpirun", 75, "SIGUSR1"),
    "SIGTERM to rank 1": (IN_VALIDATION, to_rank(1, signal.SIGTERM), "mpirun", 75, "SIGTERM"),
    # mpirun makes SIGTERM of Ctrl-C, after a second, and kills after another.
    "Ctrl-C, mpirun": (IN_TRAINING, press_ctrl_c, "mpirun", 1, "SIGTERM"),
    "SIGUSR1 to rank 0, horovodrun": (
        *(IN_VALIDATION, to_rank(0, signal.SIGUSR1)),
        *("horovodrun-mpi", 75, "SIGUSR1"),
    ),
    "Ctrl-C, horovodrun": (IN_TRAINING, press_ctrl_c, "horovodrun-gloo", 75, "SIGTERM"),
}


@pytest.mark.parametrize("how", some_first(STOPS, "SIGTERM to rank 1", "Ctrl-C, horovodrun"))
def test_asked_to_stop_it_writes_a_checkpoint(how: str, stopped: Path) -> None:
    pattern, ask, launched_by, status, reason = STOPS[how]
    eager = pattern == IN_VALIDATION
    program = EAGER if eager else SCRIPT
    env = {"DDL_TEST_VALIDATION_STEP_S": "2"}
    job = start(stopped, *UNTIL_IT_ENDS, program=program, launcher=launched_by, env=env)
    job.wait_for(pattern)
    asked_at = time.monotonic()
    ask(job)
    result = job.wait()
    assert time.monotonic() - asked_at < 15, result.output
    check_stopped(result, stopped, status, reason)
    assert reached(stopped).step == STEPS or not eager


def test_out_of_time_it_writes_a_checkpoint(tmp_path: Path) -> None:
    flags = ("--run-dir", tmp_path / "run", *UNTIL_IT_ENDS, "--time-limit-min", "1e-3")
    outcome = call("train_unet", *flags)
    result = Result(outcome.status, outcome.printed + outcome.told, 0.0)
    check_stopped(result, tmp_path / "run", 75, "time_limit_min=0.001")


@pytest.mark.proof
def test_out_of_time_two_ranks_write_a_checkpoint(stopped: Path) -> None:
    result = start(stopped, *UNTIL_IT_ENDS, "--time-limit-min", "1e-3").wait()
    check_stopped(result, stopped, 75, "time_limit_min=0.001")


@pytest.mark.proof
def test_after_stops_it_ends_with_the_same_bits(stopped: Path, tmp_path: Path) -> None:
    reference = tmp_path / "reference"
    finish(reference, *UNTIL_IT_ENDS)
    job = start(stopped, *UNTIL_IT_ENDS)
    job.wait_until(lambda: (stopped / "model.keras").exists())
    with contextlib.suppress(KeyError):  # too late to matter, or even for a rank to be there
        to_rank(0, signal.SIGTERM)(job)
        to_rank(1, signal.SIGUSR1)(job)
    result = job.wait()
    assert result.returncode == 0, result.output
    assert differences(stopped, reference) == []


def test_a_signal_before_the_first_step_leaves_nothing_behind(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    job = start(run_dir, *UNTIL_IT_ENDS)
    job.wait_until(
        lambda: len(job.ranks()) == 2 and all(map(loads_tensorflow, job.ranks().values()))
    )
    job.process.send_signal(signal.SIGUSR1)
    result = job.wait()
    assert result.returncode == 75, result.output
    assert "train_unet: Stopped by SIGUSR1: no step was taken." in result.output
    assert not run_dir.exists()


def test_ctrl_c_twice_before_the_first_step_ends_it_at_once(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    job = start(run_dir, *UNTIL_IT_ENDS, ranks=1, launcher="none")
    job.wait_until(lambda: loads_tensorflow(psutil.Process(job.process.pid)))
    while job.process.poll() is None:  # Python may take two for one while it loads a library
        job.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
    result = job.wait()
    assert result.returncode == 130, result.output
    assert result.output.strip() == "train_unet (rank 0): stopped at once by Ctrl-C."
    assert not run_dir.exists()


def check_stopped(result: Result, run_dir: Path, status: int, reason: str) -> None:
    """Check that a run ended in good order, with one line that names the checkpoint to resume from."""
    output = plain_output(result.output)
    assert result.returncode == status, output
    newest = list_checkpoints(run_dir / "checkpoints")[-1][1]
    line = f"Stopped by {reason}: {newest} is written. --resume auto continues from there."
    assert output.count(f"train_unet: {line}\n") == 1, output
    assert (run_dir / "log.txt").read_text().endswith(f"{line}\n")
    assert no_traceback_of_ours(result), output
    assert "W0000" not in output  # TensorFlow, about what was left open
    assert result.left_behind == (), output


def loads_tensorflow(process: psutil.Process) -> bool:
    """Return whether a process has come as far as TensorFlow."""
    try:
        return any("tensorflow" in entry.path for entry in process.memory_maps())
    except psutil.Error:
        return False


def spoil(path: Path) -> None:
    """Flip a bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
