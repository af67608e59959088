"""scripts/train_unet.py, drawing after every epoch; each rank then prints what it took.

MEMORY RANK PEAK_MB and, where the model was called on arrays, CALLED RANK SAMPLES: the most at once.
"""

from __future__ import annotations

import resource
import sys
from typing import Any
from unittest import mock

import ddl.distributed as dist
from ddl.training import train_command
from ddl.training.plan.plan import Plan
from scripts import train_unet

join = train_command._join
called: list[int] = []


def join_and_watch(plan: Plan) -> None:
    """Join the job as the script does; draw often, and note how many samples the model is called on."""
    join(plan)
    import keras
    import numpy as np

    from ddl.training.record import recorder

    recorder.DRAW_EVERY_S = 0.0
    call = keras.Model.__call__

    def noted(self: keras.Model, inputs: Any, *args: Any, **options: Any) -> Any:
        if isinstance(inputs, np.ndarray):
            called.append(len(inputs))
        return call(self, inputs, *args, **options)

    mock.patch.object(keras.Model, "__call__", noted).start()


if __name__ == "__main__":
    train_command._join = join_and_watch
    try:
        train_unet.main()
    finally:
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(f"MEMORY {dist.rank()} {peak_mb:.0f}\n")
        if called:
            sys.stdout.write(f"CALLED {dist.rank()} {max(called)}\n")
