"""The program that each rank of a GAN's measurement runs.

mpirun -np 2 python -m ddl.benchmark.gan.trial '{"gan_loss": "wgan_gp", ...}'
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import ddl.distributed as dist
from ddl.benchmark.trial import RESULT
from ddl.distributed.job.quiet import loading_tensorflow


def main() -> None:
    """Train; rank 0 prints each epoch's samples/s in one line."""
    fields = json.loads(sys.argv[1])
    dist.init()
    with loading_tensorflow():
        from ddl.training.loop import train
        from ddl.training.plan.plan import Plan
    with tempfile.TemporaryDirectory() as name:
        history = train(Plan(run_dir=Path(dist.broadcast(name)) / "run", **fields))
        dist.barrier()
    if dist.is_root():
        rates = [epoch["samples_per_s"] for epoch in history]
        print(f"\n{RESULT}{json.dumps(rates)}", flush=True)


if __name__ == "__main__":
    main()
