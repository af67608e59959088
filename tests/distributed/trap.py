"""The trap that this package exists for: Horovod's own Keras wrapper, under Keras 3, on this job's ranks.

mpirun -np 2 python -m tests.distributed.trap horovod   # prints how far the ranks' weights are apart
mpirun -np 2 python -m tests.distributed.trap ddl       # the same with our optimizer
mpirun -np 2 python -m tests.distributed.trap guarded   # Horovod's wrapper after ddl.distributed.init()
"""

from __future__ import annotations

import argparse

import keras
import numpy as np


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=("horovod", "ddl", "guarded"))
    way = parser.parse_args(argv).way
    import horovod.tensorflow as hvd
    import horovod.tensorflow.keras as horovod_keras

    import ddl.distributed as dist

    if way == "horovod":
        hvd.init()
    else:
        dist.init()
    rank = hvd.rank()
    wrap = dist.DistributedOptimizer if way == "ddl" else horovod_keras.DistributedOptimizer
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(wrap(keras.optimizers.SGD(0.1)), "mse")
    rng = np.random.default_rng(rank)
    model.fit(rng.normal(size=(8, 3)), rng.normal(size=(8, 1)), batch_size=4, verbose=0)
    weights = hvd.allgather_object(model.get_weights()[0])
    if rank == 0:
        print(f"apart: {np.max(np.abs(weights[0] - weights[1])):.3e}")


if __name__ == "__main__":
    main()
