"""Rank 1 is killed while rank 0 writes a checkpoint, slowly. `mpirun -np 2 python dying_program.py FOLDER SECONDS`."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import ddl.distributed as dist
from ddl.training.checkpoint import checkpoint_writer
from ddl.training.checkpoint.checkpoint_file import Snapshot
from ddl.training.checkpoint.checkpoint_folder import Retention
from tests.training.checkpoint.snapshots import make_snapshot

write = checkpoint_writer.write_checkpoint
folder, seconds = Path(sys.argv[1]), float(sys.argv[2])


def write_slowly(path: Path, snapshot: Snapshot) -> None:
    """Take a while, as a large file does."""
    time.sleep(seconds)
    write(path, snapshot)


dist.init()
if dist.is_root():
    checkpoint_writer.write_checkpoint = write_slowly
    checkpoint_writer.CheckpointWriter(folder, Retention()).submit(make_snapshot(1, 7))
dist.barrier()
if dist.rank() == 1:
    os.kill(os.getpid(), signal.SIGKILL)
dist.barrier()
