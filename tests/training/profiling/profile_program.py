"""Train a small U-Net with and without a profile, with slow data on rank 1, and print what came of each.

mpirun -np 2 python -m tests.training.profiling.profile_program FOLDER
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import ddl.distributed as dist
from ddl.distributed.timing.timeline import prepare_timeline

prepare_timeline()
dist.init()

from ddl.data.batches.batch_reader import BatchReader  # noqa: E402
from ddl.training.loop import train_prepared  # noqa: E402
from ddl.training.plan.plan import Plan  # noqa: E402
from ddl.training.run_setup import set_up  # noqa: E402
from ddl.training.stop_request import StopRequest  # noqa: E402

SLEEP_S = (
    0.2  # so long that reading ahead hides it for the first steps alone, on a busy machine, too
)
PROFILED = 4


def main(folder: Path) -> None:
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stdout)
    read = BatchReader.__call__

    def read_slowly(reader: BatchReader, *args: Any) -> Any:
        time.sleep(SLEEP_S * dist.rank())
        return read(reader, *args)

    show(folder, 0)
    with mock.patch.object(BatchReader, "__call__", read_slowly):
        show(folder, PROFILED)


def show(folder: Path, profile: int) -> None:
    plan = Plan(
        run_dir=folder / f"run-{profile}", image_size=(16, 16), data_option={"count": 90}, epochs=1,
        model_option={"depth": 1, "width": 2}, per_rank_batch_size=2, data_threads=1, profile=profile,
    )  # fmt: skip
    with StopRequest() as stop:
        setup = set_up(plan, None, stop)
        train_prepared(setup)
    digest = hashlib.sha256(b"".join(np.asarray(v).tobytes() for v in setup.model.weights))
    facts = {"profile": profile, "weights": digest.hexdigest()}
    print(f"rank {dist.rank()}: " + json.dumps(facts), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
