"""Kill a training at random moments, resume it each time, and compare it with one that was never killed.

    python -m tests.training.kill_again --times 20 --seed 0

Prints a line a kill and ends with status 0 if the last checkpoint, the history and the model are equal bit by bit.
A kill takes about 8 s on two idle cores.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.launch import Job
from tests.training.interrupted_runs import (
    EAGER,
    LOCAL,
    OFTEN,
    SYNCED,
    differences,
    finish,
    is_writing,
    kill,
    reached,
    start,
)

PLANS = {"synced": (*SYNCED, "--epochs", "24"), "local": (*LOCAL, "--epochs", "200")}

KINDS = ["rank 0", "rank 1", "all ranks", "launcher", "everything"]


def victims(job: Job, kind: str) -> list[psutil.Process]:
    """Return what is to be killed now: a rank, all of them, the launcher, or everything."""
    ranks = job.ranks()
    launcher = [psutil.Process(job.process.pid)] if job.process.poll() is None else []
    if kind.startswith("rank"):
        return [process for rank, process in ranks.items() if kind == f"rank {rank}"]
    return {
        "all ranks": [*ranks.values()],
        "launcher": launcher,
        "everything": [*launcher, *ranks.values()],
    }[kind]


def kill_once(run_dir: Path, plan: tuple[str, ...], kind: str, draw: random.Random) -> str:
    """Resume the run, kill it at a random moment, and say what was done."""
    job = start(run_dir, *plan, *OFTEN, program=EAGER)
    before = reached(run_dir)
    job.wait_until(lambda: len(job.ranks()) == 2)
    doomed = victims(job, kind)
    if draw.random() < 0.9:
        steps = draw.randrange(0, 12)
        passed = {before}
        job.wait_until(lambda: passed.add(reached(run_dir)) or len(passed) > steps)
    else:  # while TensorFlow loads
        time.sleep(draw.random() * 4)
    if draw.random() < 0.5:
        job.wait_until(lambda: is_writing(run_dir), timeout_s=0.2)
    else:
        time.sleep(draw.random() * 0.05)
    ended = job.process.poll()
    kill(doomed)
    result = job.wait(90)
    assert not result.timed_out, result.output
    assert ended in (None, 0), result.output  # what ends by itself ends well
    whence, to = (f"{position.epoch}/{position.step}" for position in (before, reached(run_dir)))
    half = "half-written" if is_writing(run_dir) else ""
    return (
        f"{kind:10s}  from {whence:5s} to {to:5s}  status {result.returncode:3d}  {half:12s}"
        f"  {len(result.left_behind)} left behind  {result.seconds:.1f} s"
    )


def main() -> int:
    """Kill as often as asked, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plan", choices=PLANS, default="synced")
    arguments = parser.parse_args()
    plan, draw = PLANS[arguments.plan], random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        reference, killed = Path(folder) / "reference", Path(folder) / "killed"
        finish(reference, *plan)
        for number in range(1, arguments.times + 1):
            told = kill_once(killed, plan, draw.choice(KINDS), draw)
            print(f"{number:3d}", told, flush=True)
        finish(killed, *plan)
        found = differences(killed, reference)
    print("\n".join(found) if found else "equal, bit by bit")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
