"""What an agent costs beside a training: memory, processor, and the time of the training itself."""

from __future__ import annotations

import os
import sys
import time

import pytest

from ddl.experiments.agent.node import memory, processes
from tests.experiments.agent.worlds import World, pythons, wait_for

SECONDS = 60
MOST_BYTES = 25 << 20
MOST_SHARE = 0.005
TRAINING = """\
import json, sys, time
end = time.time() + {seconds}
epoch = 0
while time.time() < end:
    epoch += 1
    time.sleep(1)
    print(f"epoch {{epoch}} loss {{1 / epoch}}", flush=True)
    with open(sys.argv[1] + "/history.jsonl", "a") as history:
        print(json.dumps({{"epoch": epoch, "loss": 1 / epoch, "val_dice": 0.5}}), file=history)
"""


@pytest.mark.proof
@pytest.mark.parametrize("python", pythons())
def test_an_agent_takes_25_mib_and_half_a_percent_of_a_core(tmp_path, agent, python: str):
    world = World(tmp_path, agent, python, pace=1.0)
    try:
        (tmp_path / "train.py").write_text(TRAINING.format(seconds=SECONDS))
        rules = [
            {"name": "low", "text": "val_dice < 0.1 after 5 epochs -> stop"},
            {"name": "silent", "text": "no progress in 20 min -> mail"},
        ]
        attempt = world.simple(1, sys.executable, "train.py", "{run_dir}", record={"watch": rules})
        process = world.start(attempt)
        wait_for(lambda: attempt.experiment.history.exists())
        time.sleep(5)
        first = processes.find(process.pid)
        begin = time.monotonic()
        peak = 0
        while time.monotonic() - begin < SECONDS - 15:
            found = processes.find(process.pid)
            guardian = [
                p
                for p in processes.living().values()
                if p.parent == process.pid and p.name == found.name
            ]
            peak = max(peak, memory.of_processes([found, *guardian]))
            time.sleep(5)
        took = time.monotonic() - begin
        last = processes.find(process.pid)
        # Its own time: what it started counts, too, once it was waited for.
        share = (last.cpu_ticks - first.cpu_ticks) / os.sysconf("SC_CLK_TCK") / took
        print(f"{python}: {peak / 2**20:.1f} MiB, {share:.2%} of a core")
        assert peak < MOST_BYTES
        assert share < MOST_SHARE
        status = world.status(attempt, 60)
        assert status["outcome"] == "finished"
    finally:
        world.close()
