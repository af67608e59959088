"""A rank that fails, dies, stops or stalls ends the job in time, and is named. Failures are real ones."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.launch import run_ranks

PROGRAM = Path(__file__).with_name("failing_program.py")
STALL_TIMEOUT_S = 10  # the default is 50, with a minute as the promise
ENDING_S = 10  # what the promise leaves for the end of the job
LINGER_S = 3  # of `run_ranks`

DIES = r"rank {victim} \(host .*pid \d+\) died|process rank {victim} |Process name: {victim}\b"
SILENT = r"rank {victim} \(host .*\) has given no sign of life for \d+ s"
STALLED = r"rank {victim} \(host .*\) is stalled at .*failing_program.py:\d+ in misbehave, while 2 rank\(s\) wait"


@pytest.mark.parametrize(
    ("how", "victim", "launcher", "named"),
    [
        ("kill", 2, "mpirun", DIES),
        ("kill", 0, "horovodrun-gloo", DIES),
        ("stop", 1, "horovodrun-gloo", SILENT),
        ("stop", 0, "mpirun", SILENT),
        ("stall", 2, "mpirun", STALLED),
        ("stall", 0, "mpirun", STALLED),
        ("stall", 1, "horovodrun-gloo", STALLED),
        ("leave", 1, "mpirun", r"rank {victim} .* has left the job, while 2 rank\(s\) wait"),
        (
            "apart",
            1,
            "mpirun",
            r"wait for each other in different places: rank 0 .*failing_program",
        ),
        ("raise", 1, "horovodrun-gloo", r"rank {victim} .* failed:\n(.*\n)*.*RuntimeError: my bug"),
    ],
)
def test_a_failing_rank_ends_the_job_and_is_named(
    how: str, victim: int, launcher: str, named: str, tmp_path: Path
) -> None:
    moment = tmp_path / "moment"
    result = run_ranks(
        [PROGRAM, how, str(victim), moment],
        3,
        launcher,
        timeout_s=120,
        env={"DDL_STALL_TIMEOUT_S": str(STALL_TIMEOUT_S)},
    )
    ended = time.time()
    assert not result.timed_out, result.output
    assert result.returncode != 0, result.output
    # `horovodrun` writes its prefix before every line.
    output = re.sub(r"^\[[\d,]+\]<std\w+>:", "", result.output, flags=re.MULTILINE)
    assert re.search(named.format(victim=victim), output), output
    took_s = ended - float(moment.read_text())
    assert took_s < STALL_TIMEOUT_S + ENDING_S + LINGER_S, result.output
    assert result.left_behind == (), result.output
    # One traceback at the most: that of the rank that failed.
    assert output.count("my bug\n") == (how == "raise"), output
    assert output.count("failed:\nTraceback") == (how == "raise"), output
