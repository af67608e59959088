"""scripts/train_unet.py, but the ranks agree after every batch, so that each may be the last one.

With DDL_TEST_STOP_AT=EPOCH/STEP (EPOCH from 0) rank 0 gets SIGUSR1 right there: a signal from outside comes too late
for steps of milliseconds. With DDL_TEST_VALIDATION_STEP_S each rank waits that long after each step of a validation, so
that one from outside comes in time.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from ddl.data.order import Position
from ddl.training import train_command
from ddl.training.plan.plan import Plan
from scripts import train_unet

join = train_command._join


def join_eagerly(plan: Plan) -> None:
    """Join the job as the script does, and then agree more often."""
    join(plan)
    from ddl.training import consensus

    consensus.AGREE_EVERY_S = 0.0
    if stop_at := os.environ.get("DDL_TEST_STOP_AT"):
        stop_there(consensus.Consensus, Position(*map(int, stop_at.split("/"))))
    if seconds := os.environ.get("DDL_TEST_VALIDATION_STEP_S"):
        wait_in_validation(consensus.Consensus, float(seconds))


def stop_there(consensus: Any, position: Position) -> None:
    """Have rank 0 send itself SIGUSR1 before the ranks agree at `position`."""
    import ddl.distributed as dist

    reach = consensus.reach

    def reach_after_a_signal(self: Any, **how: Any) -> Any:
        if dist.is_root() and self._run.position == position:
            signal.raise_signal(signal.SIGUSR1)
        return reach(self, **how)

    consensus.reach = reach_after_a_signal


def wait_in_validation(consensus: Any, seconds: float) -> None:
    """Have all ranks wait before they agree in a validation, until one of them is asked to stop."""
    reach = consensus.reach

    def reach_later(self: Any, **how: Any) -> Any:
        ends = time.monotonic() + seconds
        while self._run.position.step == self._run.steps_per_epoch and time.monotonic() < ends:
            if self._stop.signal:
                break
            time.sleep(0.01)
        return reach(self, **how)

    consensus.reach = reach_later


train_command._join = join_eagerly
if __name__ == "__main__":
    train_unet.main()
