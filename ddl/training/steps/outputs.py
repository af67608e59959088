"""A model's raw predictions of held-out samples: shared out over the ranks, and back on rank 0 in the samples' order.

    outputs = Outputs(model, samples)  # on every rank
    for parts in outputs.in_order():
        for indices, predictions in parts:  # rank 0: all samples, in order; no parts on other ranks
            ...

Batches are dealt out: batch k is that of rank k % N. So each batch holds the same samples on any number of ranks, and
its predictions are bit for bit the same if each rank has the same number of threads.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import ddl.distributed as dist
from ddl.data.batches.batch_reader import BatchReader
from ddl.data.batches.pipeline import Batches
from ddl.data.normalization import Normalization
from ddl.data.source import Source
from ddl.distributed.state.variables import gather_bytes
from ddl.training.run import Run
from ddl.training.steps.bad_data import naming_bad_data
from ddl.training.steps.run_batches import data_threads
from ddl.training.steps.step import Part

MOST_TOGETHER = 8
_MOST_BYTES = 16 << 20


def run_outputs(model: keras.Model, run: Run, samples: Source) -> Outputs:
    """Return the predictions of held-out samples of a run, whose inputs are prepared as in training."""
    how = run.preprocessing.normalization
    return Outputs(model, samples, normalization=how, threads=data_threads(run))


class Outputs:
    """The predictions of a model for all samples of a source. Every rank has one; it may be used again and again.

    All ranks must call each method together and take all that it yields: each turn of `in_order` ends with a
    gathering.

    Attributes:
        turns: how often each method yields.
    """

    def __init__(
        self,
        model: keras.Model,
        samples: Source,
        *,
        normalization: Normalization | None = None,
        threads: int = 1,
        most_together: int = MOST_TOGETHER,
    ) -> None:
        """Prepare it; nothing is read yet.

        Args:
            model: functional or sequential; of several outputs the first counts. Its weights are those at the time of
                a turn.
            samples: the first field is the model's input. Targets are not needed.
            normalization: what inputs go through before the model.
            threads: that read samples.
            most_together: samples a batch, at most; fewer if they are large. The same on any number of ranks.
        """
        self._model, self._normalization, self._threads = model, normalization, threads
        self._samples = samples
        field = next(iter(samples.fields.values()))
        self._together = max(1, min(most_together, _MOST_BYTES // max(1, field.nbytes)))
        self._batches = math.ceil(len(samples) / self._together)
        self.turns = math.ceil(self._batches / dist.size())

    def own(self) -> Iterator[Part]:
        """Yield this rank's part of each turn; an empty one where the rank has no batch left.

        Raises:
            BadData: on the rank that cannot read a sample.
        """
        mine = range(dist.rank(), self._batches, dist.size())
        reader = BatchReader(self._samples, normalization=self._normalization)

        def steps() -> Iterator[tuple[int, int, np.ndarray]]:
            for turn, batch in enumerate(mine):
                yield 0, turn, self._indices(batch)

        with Batches(reader, steps, self._threads, len(mine)) as batches, naming_bad_data(batches):
            inputs = iter(batches.dataset)
            for turn in range(self.turns):
                if turn < len(mine):
                    predictions = self._predict(next(inputs)[0]).numpy()
                    yield self._indices(mine[turn]), predictions
                else:
                    yield np.arange(0), np.empty((0, *self.row_shape), self.dtype)

    def in_order(self) -> Iterator[list[Part]]:
        """Yield, turn by turn, the parts of all ranks in the order of the samples on rank 0, and no parts elsewhere."""
        row_bytes = math.prod(self.row_shape) * self.dtype.itemsize
        for turn, (_, predictions) in enumerate(self.own()):
            padded = np.zeros(self._together * row_bytes, np.uint8)
            own = np.ascontiguousarray(predictions, self.dtype).reshape(-1).view(np.uint8)
            padded[: own.size] = own
            first = turn * dist.size()
            parts = []
            for batch, row in enumerate(gather_bytes(padded), first):
                indices = self._indices(batch)
                values = row[: len(indices) * row_bytes].view(self.dtype)
                if len(indices):
                    parts.append((indices, values.reshape(len(indices), *self.row_shape)))
            yield parts

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one prediction."""
        return tuple(self._predict_traced.structured_outputs.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """The type of predictions: float32 also for a network that computes in 16 bits."""
        dtype: np.dtype = np.dtype(self._predict_traced.structured_outputs.dtype.as_numpy_dtype)
        return dtype

    def _predict(self, inputs: Any) -> Any:
        return self._predict_traced(tf.cast(inputs, tf.float32))

    @functools.cached_property
    def _predict_traced(self) -> Any:
        shape = next(iter(self._samples.fields.values())).shape
        model = self._model

        def predict(inputs: Any) -> Any:
            outputs = model(inputs, training=False)
            first = tf.nest.flatten(outputs)[0]
            return tf.cast(first, tf.float32) if first.dtype.size < 4 else first

        signature = [tf.TensorSpec((None, *shape), tf.float32)]
        return tf.function(predict, signature, autograph=False).get_concrete_function()

    def _indices(self, batch: int) -> np.ndarray:
        first = min(batch * self._together, len(self._samples))
        return np.arange(first, min(first + self._together, len(self._samples)))
