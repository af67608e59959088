"""A rank that fails, dies, stops or stalls ends the job in time, and is named. Failures are real ones."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.launch import Result, run_ranks

PROGRAM = Path(__file__).with_name("failing_program.py")
STALL_TIMEOUT_S = 10  # the default is 50, with a minute as the promise
ENDING_S = 10  # what the promise leaves for the end of the job
LINGER_S = 3  # of `run_ranks`

DIES = r"ddl: rank {victim} \(host .*, pid \d+\) died"
# horovodrun sends SIGTERM to the other ranks at once. A script without a handler has no time to say anything.
KILLED = DIES + r"|horovodrun: rank {victim} was killed by SIGKILL, which ended the job\."
SILENT = r"rank {victim} \(host .*\) has sent no heartbeat for \d+ s"
STALLED = r"rank {victim} \(host .*\) is stalled at .*failing_program.py:\d+ in misbehave, while 2 rank\(s\) wait"


CASES = [
    ("kill", 2, "mpirun", DIES),
    ("kill", 0, "mpirun", DIES),
    ("stop", 1, "horovodrun-gloo", SILENT),
    ("stall", 2, "mpirun", STALLED),
    ("leave", 1, "mpirun", r"rank {victim} .* has left the job, while 2 rank\(s\) wait"),
    ("apart", 1, "mpirun", r"wait for each other at different positions: rank 0 .*failing_program"),
    ("raise", 1, "horovodrun-gloo", r"rank {victim} .* failed:\n(.*\n)*.*RuntimeError: my bug"),
]
MORE = [
    ("kill", 0, "horovodrun-gloo", KILLED),
    ("stop", 0, "mpirun", SILENT),
    ("stall", 0, "mpirun", STALLED),
    ("stall", 1, "horovodrun-gloo", STALLED),
]


@dataclass(frozen=True)
class Ended:
    """A job that has ended, and how long after the failure of a rank."""

    result: Result
    took_s: float


def run(how: str, victim: int, launcher: str, folder: Path) -> Ended:
    """Start a job in which a rank fails, and wait for its end."""
    moment = folder / f"{how}-{victim}-{launcher}"
    env = {"DDL_STALL_TIMEOUT_S": str(STALL_TIMEOUT_S)}
    result = run_ranks([PROGRAM, how, str(victim), moment], 3, launcher, timeout_s=120, env=env)
    return Ended(result, time.time() - float(moment.read_text()))


@pytest.fixture(scope="module")
def jobs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, int, str], Future[Ended]]]:
    """Run the jobs of all tests here that were asked for, three side by side: what they do most is wait."""
    folder = tmp_path_factory.mktemp("moments")
    chosen = [
        item.callspec.params
        for item in request.session.items
        if getattr(item, "function", None) is test_a_failing_rank_ends_the_job_and_is_named
    ]
    with ThreadPoolExecutor(3) as beside:
        keys = [(params["how"], params["victim"], params["launcher"]) for params in chosen]
        yield {key: beside.submit(run, *key, folder) for key in keys}
        beside.shutdown(cancel_futures=True)


@pytest.mark.parametrize(
    ("how", "victim", "launcher", "named"),
    [*CASES, *(pytest.param(*case, marks=pytest.mark.proof) for case in MORE)],
)
def test_a_failing_rank_ends_the_job_and_is_named(
    how: str,
    victim: int,
    launcher: str,
    named: str,
    jobs: dict[tuple[str, int, str], Future[Ended]],
) -> None:
    ended = jobs[how, victim, launcher].result()
    result = ended.result
    assert not result.timed_out, result.output
    assert result.returncode != 0, result.output
    # `horovodrun` writes its prefix before every line.
    output = re.sub(r"^\[[\d,]+\]<std\w+>:", "", result.output, flags=re.MULTILINE)
    assert re.search(named.format(victim=victim), output), output
    assert ended.took_s < STALL_TIMEOUT_S + ENDING_S + LINGER_S, result.output
    assert result.left_behind == (), result.output
    # One traceback at the most: that of the rank that failed. None is the launcher's.
    assert output.count("my bug\n") == (how == "raise"), output
    assert output.count("failed:\nTraceback") == (how == "raise"), output
    assert output.count("Traceback (most") == (how == "raise"), output
    # One verdict, and no other rank is named by a second one.
    assert output.count(" Ending the job.") <= 1, output
    assert set(re.findall(r"^ddl: rank (\d+)", output, re.MULTILINE)) <= {str(victim)}, output
    # Horovod's own message has a path of the build machine and tensor names.
    assert "stall_inspector.cc" not in output, output
