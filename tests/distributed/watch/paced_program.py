"""scripts/train_unet.py at a pace: rank 0 waits a moment in every step. Run under attack by test_under_attack.py.

`DDL_TEST_PACE_S` is the moment. With `DDL_TEST_OPEN=1` the heartbeat port stays open after all ranks have connected.
"""

from __future__ import annotations

import os
import time
from typing import Any

from ddl.distributed.watch import server
from ddl.training import train_command
from ddl.training.plan.plan import Plan
from scripts import train_unet

join = train_command._join


def join_slowly(plan: Plan) -> None:
    """Join the job as the script does, and let the ranks agree after every step, a moment later."""
    if os.environ["DDL_TEST_OPEN"] == "1":
        server.LISTEN_S = 1e6
        server.Server._is_complete = lambda self: False  # type: ignore[method-assign]
    join(plan)
    from ddl.training import consensus

    consensus.AGREE_EVERY_S = 0.0
    reach = consensus.Consensus.reach

    def reach_later(self: Any, **how: Any) -> Any:
        time.sleep(float(os.environ["DDL_TEST_PACE_S"]))
        return reach(self, **how)

    consensus.Consensus.reach = reach_later  # type: ignore[method-assign]


train_command._join = join_slowly
if __name__ == "__main__":
    train_unet.main()
