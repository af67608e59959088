"""The trap that this package exists for: Horovod's own Keras wrapper, under Keras 3, on the ranks of a job.

mpirun -np 2 python -m tests.distributed.keras_patches.trap   # prints how far the ranks' weights are apart
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


def main() -> None:
    """Train without `ddl`, whose `init` refuses the wrapper."""
    import horovod.tensorflow as hvd
    import horovod.tensorflow.keras as horovod_keras

    hvd.init()
    weights = hvd.allgather_object(weights_with(horovod_keras.DistributedOptimizer))
    if hvd.rank() == 0:
        print(f"apart: {np.max(np.abs(weights[0] - weights[1])):.3e}")


def weights_with(wrap: Any) -> np.ndarray:
    """Return this rank's weights after two steps on data of its own, with the optimizer wrapped like this."""
    import horovod.tensorflow as hvd

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(wrap(keras.optimizers.SGD(0.1)), "mse")
    rng = np.random.default_rng(hvd.rank())
    model.fit(rng.normal(size=(8, 3)), rng.normal(size=(8, 1)), batch_size=4, verbose=0)
    found: np.ndarray = model.get_weights()[0]
    return found


def weights_with_ours() -> np.ndarray:
    """Return the same with our optimizer, on a rank of a pooled job."""
    import ddl.distributed as dist

    return weights_with(dist.DistributedOptimizer)


def refusal() -> str:
    """Return what the guard says about Horovod's wrapper, on a rank of a pooled job."""
    import horovod.tensorflow.keras as horovod_keras

    try:
        weights_with(horovod_keras.DistributedOptimizer)
    except ValueError as error:
        return str(error)
    return "trained"


if __name__ == "__main__":
    main()
