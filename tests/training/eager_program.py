"""scripts/train_unet.py, but the ranks agree after every batch, so that each may be the last one."""

from __future__ import annotations

from ddl.training import command
from ddl.training.plan import Plan
from scripts import train_unet

join = command._join


def join_eagerly(plan: Plan) -> None:
    """Join the job as the script does, and then agree more often."""
    join(plan)
    from ddl.training import supervisor

    supervisor.AGREE_EVERY_S = 0.0


command._join = join_eagerly
if __name__ == "__main__":
    train_unet.main()
