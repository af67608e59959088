"""The program that each rank of a mode runs: the task, with a straggler among the ranks.

mpirun -np 4 python -m ddl.benchmark.modes.trial '{"plan": {"parallel": "balanced", ...}, "straggler": {...}}'
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import ddl.distributed as dist
from ddl.benchmark.trial import RESULT
from ddl.distributed.job.quiet import loading_tensorflow


def main() -> None:
    """Train; rank 0 prints each epoch's seconds and losses in one line."""
    given = json.loads(sys.argv[1])
    dist.init()
    with loading_tensorflow():
        from ddl.benchmark.modes.straggler import Straggler, slowed
        from ddl.training.loop import train
        from ddl.training.plan.plan import Plan
    with tempfile.TemporaryDirectory() as name:
        run_dir = Path(dist.broadcast(name)) / "run"
        straggler, plan = Straggler(**given["straggler"]), Plan(run_dir=run_dir, **given["plan"])
        if plan.parallel == "async":
            from ddl.asynchronous.steps import SLEEPS

            sleeps = [straggler.sample_s(number, 0) for number in range(plan.workers)]
            os.environ[SLEEPS] = ",".join(map(str, sleeps))
        with slowed(straggler, dist.rank()):
            history = train(plan)
        dist.barrier()
    if dist.is_root():
        kept = ("epoch", "seconds", "loss", "val_loss")
        epochs = [{name: epoch[name] for name in kept} for epoch in history]
        print(f"\n{RESULT}{json.dumps(epochs)}", flush=True)


if __name__ == "__main__":
    main()
