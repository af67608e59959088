"""scripts/train_unet.py with faults at chosen steps: each kills a rank with signal 9, or touches a file.

DDL_TEST_FAULTS is a folder with a file `faults`, a line each: "EPOCH/STEP RANK" (EPOCH from 0) for the rank that dies
there, or "EPOCH/STEP touch NAME" for a file in the folder. Each happens once. All ranks agree after every batch.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from ddl.data.order import Position
from ddl.training import train_command
from tests.training.steps import eager_program

FOLDER = Path(os.environ["DDL_TEST_FAULTS"])

join = train_command._join


def join_with_faults(plan: Any) -> None:
    """Join the job as the script does, and fail before the ranks agree."""
    join(plan)
    import ddl.distributed as dist
    from ddl.training.consensus import Consensus

    reach = Consensus.reach

    def reach_or_fail(self: Any, **how: Any) -> Any:
        for position, what in faults():
            if self._run.position == position:
                happen(f"{position.epoch}-{position.step}", what, dist.rank())
        return reach(self, **how)

    Consensus.reach = reach_or_fail


def faults() -> list[tuple[Position, str]]:
    """Return the faults: when and what."""
    found = []
    for line in (FOLDER / "faults").read_text().splitlines():
        where, _, what = line.partition(" ")
        epoch, step = where.split("/")
        found.append((Position(int(epoch), int(step)), what))
    return found


def happen(name: str, what: str, rank: int) -> None:
    """Let it happen on its rank, the first time."""
    if what.startswith("touch "):
        (FOLDER / what.partition(" ")[2]).touch()
    elif rank == int(what):
        mark = FOLDER / f"died-{name}"
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


train_command._join = join_with_faults
if __name__ == "__main__":
    eager_program.train_unet.main()
