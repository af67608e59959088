"""Makes a compiled model need less memory, as its plan says: rematerialization, and checks of a partition."""

from __future__ import annotations

import keras

from ddl.training.run import Run


def save_memory(model: keras.Model, run: Run) -> None:
    """Prepare the model for `remat` and `partition`. Every rank calls it, before anything is written.

    Raises:
        ValueError: the model, or the MPI of the job, does not fit.
    """
    plan = run.plan
    if plan.partition != "none":
        from ddl.training.parallel.partition.check import check_partition

        check_partition(model, run)
    elif plan.remat:
        from ddl.training.parallel.layers.rematerialize import rematerialize

        rematerialize(model, plan.remat, run.order.per_rank_batch_size)
