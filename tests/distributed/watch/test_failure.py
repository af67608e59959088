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
WAIT = r", while {others} rank\(s\) wait"
STALLED = r"rank {victim} \(host .*\) is stalled at .*failing_program.py:\d+ in misbehave" + WAIT
LEFT = r"rank {victim} .* has left the job" + WAIT
RAISED = r"rank {victim} .* failed:\n(.*\n)*.*RuntimeError: my bug"


CASES = [
    (2, "kill", 1, "mpirun", DIES),
    (2, "kill", 0, "mpirun", DIES),
    (2, "stop", 1, "horovodrun-gloo", SILENT),
    (3, "stall", 2, "mpirun", STALLED),
    (2, "leave", 1, "mpirun", LEFT),
    (3, "apart", 1, "mpirun", r"wait for each other at different positions: rank 0 .*failing_prog"),
    (2, "raise", 1, "horovodrun-gloo", RAISED),
]
MORE = [
    (3, "kill", 2, "mpirun", DIES),
    (3, "kill", 0, "mpirun", DIES),
    (3, "stop", 1, "horovodrun-gloo", SILENT),
    (3, "leave", 1, "mpirun", LEFT),
    (3, "raise", 1, "horovodrun-gloo", RAISED),
    (3, "kill", 0, "horovodrun-gloo", KILLED),
    (3, "stop", 0, "mpirun", SILENT),
    (3, "stall", 0, "mpirun", STALLED),
    (3, "stall", 1, "horovodrun-gloo", STALLED),
]


Key = tuple[int, str, int, str]


@dataclass(frozen=True)
class Ended:
    """A job that has ended, and how long after the failure of a rank."""

    result: Result
    took_s: float


def run(ranks: int, how: str, victim: int, launcher: str, folder: Path) -> Ended:
    """Start a job in which a rank fails, and wait for its end."""
    moment = folder / f"{ranks}-{how}-{victim}-{launcher}"
    env = {"DDL_STALL_TIMEOUT_S": str(STALL_TIMEOUT_S)}
    result = run_ranks([PROGRAM, how, str(victim), moment], ranks, launcher, timeout_s=120, env=env)
    return Ended(result, time.time() - float(moment.read_text()))


@pytest.fixture(scope="module")
def jobs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Key, Future[Ended]]]:
    """Run the jobs of all tests here that were asked for, three side by side: what they do most is wait."""
    folder = tmp_path_factory.mktemp("moments")
    chosen = [
        item.callspec.params
        for item in request.session.items
        if getattr(item, "function", None) is test_a_failing_rank_ends_the_job_and_is_named
    ]
    with ThreadPoolExecutor(3) as beside:
        keys = [(p["ranks"], p["how"], p["victim"], p["launcher"]) for p in chosen]
        yield {key: beside.submit(run, *key, folder) for key in keys}
        beside.shutdown(cancel_futures=True)


@pytest.mark.parametrize(
    ("ranks", "how", "victim", "launcher", "named"),
    [*CASES, *(pytest.param(*case, marks=pytest.mark.proof) for case in MORE)],
)
def test_a_failing_rank_ends_the_job_and_is_named(
    ranks: int,
    how: str,
    victim: int,
    launcher: str,
    named: str,
    jobs: dict[Key, Future[Ended]],
) -> None:
    ended = jobs[ranks, how, victim, launcher].result()
    result = ended.result
    assert not result.timed_out, result.output
    assert result.returncode != 0, result.output
    # `horovodrun` writes its prefix before every line.
    output = re.sub(r"^\[[\d,]+\]<std\w+>:", "", result.output, flags=re.MULTILINE)
    assert re.search(named.format(victim=victim, others=ranks - 1), output), output
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
