"""Average known gradients over this job's ranks, and print each rank's results as arrays.

mpirun -np 2 python -m tests.distributed.reducer OUT.npz
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from unittest import mock

import numpy as np
import tensorflow as tf

SIZE = 1001  # not divisible by the ranks


def gradient(rank: int) -> np.ndarray:
    """Return what rank `rank` contributes: numbers of many magnitudes, from 1e-6 to 1e3."""
    rng = np.random.default_rng(100 + rank)
    return (rng.normal(size=SIZE) * 10.0 ** rng.uniform(-6, 3, SIZE)).astype(np.float32)


def rows(rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rank `rank`'s sparse gradient, values (rank + 1, 2) and row numbers: rank 0 has one, rank 1 two."""
    return np.full((rank + 1, 2), rank + 1.0, np.float32), np.arange(rank + 1) + 1


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args(argv).out
    import ddl.distributed as dist
    from ddl.distributed.optimizer import Reduction

    dist.init()
    mine = tf.constant(gradient(dist.rank()))
    values, at = rows(dist.rank())
    sparse = tf.IndexedSlices(tf.constant(values), tf.constant(at), tf.constant([5, 2]))
    results: dict[str, np.ndarray] = {}
    for compression in ("none", "fp16", "bf16"):
        # Of several shapes and dtypes, with a None and a sparse one between.
        given = [
            mine,
            None,
            sparse,
            tf.reshape(mine[:1000], (10, 100)),
            tf.cast(mine[:7], tf.bfloat16),
        ]
        first, none, rows_, matrix, short = Reduction(compression).average(given)
        assert none is None
        assert isinstance(rows_, tf.IndexedSlices)
        assert matrix.shape == (10, 100)
        assert short.dtype == tf.bfloat16
        results[compression] = first.numpy()
        results[f"{compression} matrix"] = matrix.numpy().ravel()
        results[f"{compression} sparse"] = tf.convert_to_tensor(rows_).numpy()
        with mock.patch.dict(os.environ, HOROVOD_FUSION_THRESHOLD="4100"):
            found = Reduction(compression).average(
                given
            )  # three buckets: the first tensor is 4004 bytes
        results[f"{compression} in buckets"] = np.append(found[0], found[3])
    dense = Reduction(sparse_as_dense=True).average([sparse])[0]
    assert isinstance(dense, tf.Tensor)
    results["as dense"] = dense.numpy()
    same = all(
        np.array_equal(a[name], results[name]) for a in dist.allgather(results) for name in results
    )
    assert same, "ranks got different bits"
    if dist.is_root():
        np.savez(out, **results)


if __name__ == "__main__":
    main()
