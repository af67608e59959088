"""Average known gradients over the ranks of a pooled job, in every way that gradients travel."""

from __future__ import annotations

import os
from unittest import mock

import numpy as np
import tensorflow as tf

import ddl.distributed as dist

SIZE = 1001  # not divisible by the ranks


def gradient(rank: int) -> np.ndarray:
    """Return what rank `rank` contributes: numbers of many magnitudes, from 1e-6 to 1e3."""
    rng = np.random.default_rng(100 + rank)
    return (rng.normal(size=SIZE) * 10.0 ** rng.uniform(-6, 3, SIZE)).astype(np.float32)


def rows(rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rank `rank`'s sparse gradient, values (rank + 1, 2) and row numbers: rank 0 has one, rank 1 two."""
    return np.full((rank + 1, 2), rank + 1.0, np.float32), np.arange(rank + 1) + 1


def averages() -> dict[str, np.ndarray]:
    """Return this rank's result of each way."""
    from ddl.distributed.keras_patches.optimizer import Reduction

    mine = tf.constant(gradient(dist.rank()))
    values, at = rows(dist.rank())
    sparse = tf.IndexedSlices(tf.constant(values), tf.constant(at), tf.constant([5, 2]))
    # Of several shapes and dtypes, with a None and a sparse one between.
    matrix = tf.reshape(mine[:1000], (10, 100))
    given = [mine, None, sparse, matrix, tf.cast(mine[:7], tf.bfloat16)]
    results: dict[str, np.ndarray] = {}
    for compression in ("none", "fp16", "bf16"):
        first, none, rows_, matrix, short = Reduction(compression).average(given)
        assert none is None
        assert isinstance(rows_, tf.IndexedSlices)
        assert matrix.shape == (10, 100)
        assert short.dtype == tf.bfloat16
        results[compression] = first.numpy()
        results[f"{compression} matrix"] = matrix.numpy().ravel()
        results[f"{compression} sparse"] = tf.convert_to_tensor(rows_).numpy()
        # Three buckets: the first tensor is 4004 bytes.
        with mock.patch.dict(os.environ, HOROVOD_FUSION_THRESHOLD="4100"):
            found = Reduction(compression).average(given)
        results[f"{compression} in buckets"] = np.append(found[0], found[3])
    dense = Reduction(sparse_as_dense=True).average([sparse])[0]
    assert isinstance(dense, tf.Tensor)
    results["as dense"] = dense.numpy()
    return results
