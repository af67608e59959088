"""Killed, interrupted, out of time: a training goes on where it was, and ends with the bits of one that never stopped.

`python -m tests.training.kill_again` does the same at as many random moments as one likes.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ddl.data.order import Position
from ddl.training.checkpoints import list_checkpoints
from tests.launch import Job, Result
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


def test_killed_at_any_moment_it_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    reference, killed = tmp_path / "reference", tmp_path / "killed"
    finish(reference, *SIX)
    before = reached(killed)
    half_written = 0
    for victims, moment in (
        (rank_0, lambda: is_writing(killed)),
        (launcher, lambda: reached(killed) >= Position(1, 2)),
        (everything, lambda: reached(killed) >= Position(1, STEPS)),
        (rank_1, lambda: reached(killed) >= Position(3, 3) and is_writing(killed)),
        (all_ranks, lambda: True),
    ):
        job = start(killed, *SIX, *OFTEN, program=EAGER)
        assert job.wait_until(lambda job=job: len(job.ranks()) == 2), job.output
        doomed = victims(job)  # looked up before: a file is being written for milliseconds
        assert job.wait_until(moment), job.output
        kill(doomed)
        result = job.wait(60)
        assert result.returncode not in (0, 1), result.output
        assert not result.timed_out, result.output
        assert no_traceback_of_ours(result), result.output
        assert reached(killed) >= before
        before = reached(killed)
        half_written += is_writing(killed)
    assert half_written, "no kill came while a checkpoint was being written"
    spoil(list_checkpoints(killed / "checkpoints")[-1][1])
    result = finish(killed, *SIX)
    assert re.search(r"epoch-000\d.*\.h5 is damaged \(its checksum does not hold\)", result.output)
    assert differences(killed, reference) == []
    assert not is_writing(killed)  # what the killed ones left is gone


def test_asked_to_stop_it_writes_a_checkpoint_and_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    reference, stopped = tmp_path / "reference", tmp_path / "stopped"
    finish(reference, *UNTIL_IT_ENDS)
    signals_before_the_first_step(stopped)
    in_training, in_validation = r"epoch \d+/200 +[23]/5", r"epoch \d+/200  validation 1"
    for pattern, ask, launched_by, status, reason in (
        (in_training, to_launcher(signal.SIGUSR1), "mpirun", 75, "SIGUSR1"),
        (in_validation, to_rank(1, signal.SIGTERM), "mpirun", 75, "SIGTERM"),
        # mpirun makes SIGTERM of Ctrl-C, after a second, and kills after another.
        (in_training, press_ctrl_c, "mpirun", 1, "SIGTERM"),
        (in_validation, to_rank(0, signal.SIGUSR1), "horovodrun-mpi", 75, "SIGUSR1"),
        (in_training, press_ctrl_c, "horovodrun-gloo", 1, "SIGTERM"),
    ):
        eager = pattern == in_validation
        program = EAGER if eager else SCRIPT
        job = start(stopped, *UNTIL_IT_ENDS, program=program, launcher=launched_by)
        job.wait_for(pattern)
        asked_at = time.monotonic()
        ask(job)
        result = job.wait()
        assert time.monotonic() - asked_at < 15, result.output
        check_stopped(result, stopped, status, reason)
        assert reached(stopped).step == STEPS or not eager
    result = start(stopped, *UNTIL_IT_ENDS, "--time-limit-min", "1e-3").wait()
    check_stopped(result, stopped, 75, "time_limit_min=0.001")
    job = start(stopped, *UNTIL_IT_ENDS)
    job.wait_until(lambda: (stopped / "model.keras").exists())
    to_rank(0, signal.SIGTERM)(job)  # too late to matter
    to_rank(1, signal.SIGUSR1)(job)
    result = job.wait()
    assert result.returncode == 0, result.output
    assert differences(stopped, reference) == []


def signals_before_the_first_step(run_dir: Path) -> None:
    """Stop while TensorFlow loads, in good order and at once: nothing is left behind."""
    job = start(run_dir, *UNTIL_IT_ENDS)
    job.wait_until(
        lambda: len(job.ranks()) == 2 and all(map(loads_tensorflow, job.ranks().values()))
    )
    job.process.send_signal(signal.SIGUSR1)
    result = job.wait()
    assert result.returncode == 75, result.output
    assert "train_unet: Stopped by SIGUSR1: no step was taken." in result.output
    assert not run_dir.exists()
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
    """Check that a run ended in good order, with one line that says where it goes on."""
    output = plain_output(result.output)
    assert result.returncode == status, output
    newest = list_checkpoints(run_dir / "checkpoints")[-1][1]
    line = f"Stopped by {reason}: {newest} is written. --resume auto goes on from there."
    assert output.count(f"train_unet: {line}\n") == 1, output
    assert (run_dir / "log.txt").read_text().endswith(f"{line}\n")
    assert no_traceback_of_ours(result), output
    assert "W0000" not in output  # TensorFlow, about what was left open
    assert result.left_behind == (), output


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
