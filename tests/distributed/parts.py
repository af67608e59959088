"""Which part of each global batch a rank trains on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.distributed.cases import Case


@dataclass(frozen=True)
class Part:
    """Rank `rank` of `ranks` takes its contiguous part of every global batch; the first ranks take the longer ones."""

    rank: int
    ranks: int

    def size(self, count: int) -> int:
        """Return how many of `count` samples are this rank's."""
        return count // self.ranks + (self.rank < count % self.ranks)

    def rows(self, start: int, stop: int) -> slice:
        """Return this rank's rows of the global batch `start` to `stop`."""
        count = stop - start
        first = start + self.rank * (count // self.ranks) + min(self.rank, count % self.ranks)
        return slice(first, first + self.size(count))

    def batches(self, case: Case, data: Any) -> Iterator[Any]:
        """Yield this rank's part of every global batch of (x, y, sample weights), also where it is empty."""
        samples = len(keras.tree.flatten(data[0])[0])
        for start in range(0, samples, case.batch):
            rows = self.rows(start, min(start + case.batch, samples))
            yield keras.tree.map_structure(lambda leaf, rows=rows: _taken(leaf, rows), data)

    def arrays(self, case: Case, data: Any) -> Any:
        """Return this rank's parts of all batches, one after the other."""
        return keras.tree.map_structure(
            lambda *leaves: None if leaves[0] is None else np.concatenate(leaves),
            *self.batches(case, data),
        )

    def dataset(self, case: Case, data: Any) -> tf.data.Dataset:
        """Return what `fit` and `evaluate` are given: batches of any size, or of a fixed one (`feed="static"`)."""
        data = tuple(leaf for leaf in data if leaf is not None)
        if case.feed == "static":
            dataset = tf.data.Dataset.from_tensor_slices(self.arrays(case, data))
            dataset = dataset.batch(self.size(case.batch), drop_remainder=True)
        else:
            signature = keras.tree.map_structure(
                lambda leaf: tf.TensorSpec((None, *leaf.shape[1:]), leaf.dtype), data
            )
            dataset = tf.data.Dataset.from_generator(
                lambda: self.batches(case, data), output_signature=signature
            )
            steps = -(-len(keras.tree.flatten(data[0])[0]) // case.batch)
            dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
        options = tf.data.Options()
        options.autotune.enabled = False  # it can stall the end of an epoch by seconds
        return dataset.with_options(options)


def _taken(leaf: Any, rows: slice) -> Any:
    return None if leaf is None else leaf[rows]
