"""A training script without TensorFlow: rank 0 writes a log and names of checkpoints, all ranks end together.

    small_script.py RUN_DIR [EPOCHS [STATUS]]

Each epoch takes 0.2 s. A rank dies where RUN_DIR has a file `kill-RANK`, which it deletes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from ddl.elastic.launch import MARK
from ddl.training.plan.asked_plan import VARIABLE
from ddl.training.plan.plan import Plan

run_dir = Path(sys.argv[1])
epochs = int(sys.argv[2])
status = int(sys.argv[3]) if sys.argv[3][:2] != "--" else 0
if os.environ.get(VARIABLE):
    plan = Plan(run_dir=run_dir, global_batch_size=12, epochs=epochs).to_dict()
    answer = json.dumps({"plan": plan, "checkpoint_batch_size": None})
    Path(os.environ[VARIABLE]).write_text(answer)
    sys.exit()

rank = int(os.environ["OMPI_COMM_WORLD_RANK"])
folder = run_dir / "checkpoints"
folder.mkdir(parents=True, exist_ok=True)


def log(line: str) -> None:
    """Add a line to the log of the run."""
    with (run_dir / "log.txt").open("a") as file:
        file.write(f"{line}\n")


def stop(number: int, frame: FrameType | None) -> None:
    """Stop as training does."""
    if rank == 0:
        log(
            "Stopped by SIGUSR1: the last checkpoint is written. --resume auto continues from there."
        )
    os._exit(75)


signal.signal(signal.SIGUSR1, stop)
if rank == 0:
    log(f"{os.environ['OMPI_COMM_WORLD_SIZE']} ranks, {' '.join(sys.argv[2:])}")
assert rank or MARK in os.environ  # rank 0 is on the machine of the launcher
while (done := len([*folder.iterdir()])) < epochs:
    doomed = run_dir / f"kill-{rank}"
    if doomed.exists():
        doomed.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.2)
    if rank == 0:
        (folder / f"epoch-{done + 1:04d}.h5").touch()
sys.exit(status)
