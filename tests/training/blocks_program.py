"""Train five steps in a block, and one by one; count where ranks ask each other how many samples they have."""

from __future__ import annotations

from typing import Any

import numpy as np

import ddl.distributed as dist

dist.init()
import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

from ddl.training.blocks import Blocks  # noqa: E402


def questions(size: int) -> int:
    """Return how often that reduction was traced."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(dist.DistributedOptimizer("sgd"), "mse")
    inputs = np.ones((6, 4), np.float32)
    data = tf.data.Dataset.from_tensors((inputs, inputs[:, :1])).repeat()
    horovod: Any = dist.runtime.horovod()
    reduce, asked = horovod.allreduce, []

    def counting(*args: Any, **kwargs: Any) -> Any:
        asked.append(kwargs.get("name"))
        return reduce(*args, **kwargs)

    horovod.allreduce = counting
    try:
        model.fit(
            data,
            steps_per_epoch=5,
            verbose=0,
            shuffle=False,
            callbacks=[Blocks(size, last_alone=False), *dist.standard_callbacks()],
        )
    finally:
        horovod.allreduce = reduce
    return asked.count("ddl.step_samples")


if __name__ == "__main__":
    block, one_by_one = questions(5), questions(1)
    if dist.is_root():
        print(f"block of 5: {block} questions; one by one: {min(one_by_one, 1)}")
