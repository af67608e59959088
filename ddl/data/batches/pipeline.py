"""From samples to batches: one rank's part of every global step, read ahead by threads.

    with pipeline.training_batches(samples, order=order, rank=rank, threads=2) as batches:
        model.fit(batches.dataset, steps_per_epoch=order.steps_per_epoch)

An error in a thread, such as a damaged picture during training, is raised by the `with` block as it is. TensorFlow
would report a failed operation, with a page of text.
"""

from __future__ import annotations

import atexit
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from weakref import WeakSet

import numpy as np
import tensorflow as tf

from ddl.data import sharding
from ddl.data.batches.augmentation import Augmentation
from ddl.data.batches.batch_reader import BatchReader
from ddl.data.batches.mixed_reader import MixedReader
from ddl.data.batches.mixing import Mixing
from ddl.data.batches.mosaic_reader import MosaicReader, mixing_reader
from ddl.data.batches.read_ahead import ReadAhead
from ddl.data.normalization import Normalization
from ddl.data.order import Position, SampleOrder
from ddl.data.source import Source

_START = Position()
_Result = TypeVar("_Result")
_Step = tuple[int, int, np.ndarray]
"""Epoch, step, and indices of this rank's samples (samples), or of these and their partners (group, samples)."""
_CHUNK_BYTES = 2 << 20
"""Steps of smaller batches are read together, because each call into Python costs half a millisecond."""
_CHUNK_S = 0.02
"""Maximum time per chunk, so that slow data are read step by step."""
_MOST_STEPS = 32


class Batches:
    """A rank's batches, until the end of a `with` block or until `close`.

    It holds at most 2 batches per thread and 4 more in memory. If `steps_per_read` is above 1, several steps are read
    at once, and the limit counts such groups.

    Attributes:
        dataset: for `fit` and `evaluate`. Each iteration begins at the start and ends the previous one.
        error: the error of a thread, or None. It is raised at the end of the `with` block, in place of TensorFlow's.
    """

    def __init__(
        self,
        reader: BatchReader | MixedReader | MosaicReader,
        steps: Callable[[], Iterable[_Step]],
        threads: int,
        count: int | None = None,
        steps_per_read: int = 1,
    ) -> None:
        """Set up the batches of `count` steps (None: no limit); nothing is read yet.

        `steps` returns the steps, starting with the first. At most `steps_per_read` steps are read at once; it is 1 if
        there is a `count`.
        """
        if threads < 1:
            raise ValueError(f"Received: threads={threads}. Expected: 1 or more.")
        self.error: Exception | None = None
        self._reader, self._steps, self._threads = reader, steps, threads
        self._steps_per_read, self._chunk = steps_per_read, 1
        self._running: ReadAhead[_Step, tuple[np.ndarray, ...]] | None = None
        self._iteration = 0
        self._takers = 0
        self._is_closed = False
        self._change = threading.Condition()
        self.dataset: Any = self._dataset(count)
        _OPEN.add(self)

    def close(self) -> None:
        """Stop the threads and wait until each has finished its current batch."""
        with self._change:
            self._is_closed = True
        if self._running is not None:
            self._running.close()
        with self._change:
            self._change.wait_for(lambda: self._takers == 0, timeout=30)

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, kind: object, raised: object, traceback: object) -> None:
        """Close, and raise a thread's error if it ended the block."""
        self.close()
        if self.error is not None and isinstance(raised, Exception):
            raise self.error from None

    def _begin(self) -> np.int64:
        """Start an iteration, and return its number."""
        if self._running is not None:
            self._running.close()
        steps = _chunks(self._steps(), lambda: self._chunk)
        # Not daemon threads: one that is inside HDF5 when the process exits would crash it.
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="ddl-data")
        self._running = ReadAhead(self._read, steps, pool, 2 * self._threads)
        self._iteration += 1
        return np.int64(self._iteration)

    def _read(self, step: _Step) -> tuple[np.ndarray, ...]:
        """Return the batches of a chunk: (steps, samples, ...), or (samples, ...) for single steps."""
        epoch, first_step, indices = step
        begin = time.perf_counter()
        batches = self._reader.read_steps(epoch, first_step, indices)
        if self._steps_per_read == 1:
            return batches
        is_fast = time.perf_counter() - begin < _CHUNK_S
        self._chunk = (
            min(2 * len(indices), self._steps_per_read) if is_fast else len(indices) // 2 or 1
        )
        shape = (len(indices), indices.shape[-1])
        return tuple(part.reshape(*shape, *part.shape[1:]) for part in batches)

    def _take(self, iteration: np.int64) -> list[np.ndarray]:
        """Return the next batch of an iteration."""
        if iteration != self._iteration or self._running is None:
            raise RuntimeError("Received: two iterations of a dataset at once. Expected: one.")
        try:
            return list(next(self._running))
        except StopIteration:
            raise
        except Exception as error:
            self.error = error
            # TensorFlow logs the traceback of this exception; the whole chain would hide the message.
            raise RuntimeError(str(error)) from None

    def _counted(self, work: Callable[[], _Result]) -> _Result:
        """Run a call from a TensorFlow thread and count active calls, so that `close` can wait for them."""
        with self._change:
            if self._is_closed:
                raise StopIteration
            self._takers += 1
        try:
            return work()
        finally:
            with self._change:
                self._takers -= 1
                self._change.notify_all()

    def _dataset(self, count: int | None) -> Any:
        """Return the dataset. `from_generator` would call Python again when an iterator ends: see `_close_all`."""
        fields = self._reader.fields

        def take(iteration: Any) -> Any:
            types = [tf.dtypes.as_dtype(field.dtype) for field in fields]
            parts = tf.numpy_function(
                lambda number: self._counted(lambda: self._take(number)), [iteration], types
            )
            for part, field in zip(parts, fields, strict=True):
                steps = (None,) if self._steps_per_read > 1 else ()
                part.set_shape((*steps, None, *field.shape))
            return tuple(parts)

        def begin(zero: Any) -> Any:
            return tf.numpy_function(lambda _: self._counted(self._begin), [zero], tf.int64)

        def batches(iteration: Any) -> Any:
            taken = tf.data.Dataset.from_tensors(iteration).repeat(count).map(take)
            if self._steps_per_read == 1:
                return taken
            # `unbatch` takes ten times as long, and crashes on batches without samples.
            return taken.flat_map(lambda *parts: tf.data.Dataset.from_tensor_slices(parts))

        # tf.data's autotuner delays the end of every epoch by up to seconds (its background thread sleeps).
        options = tf.data.Options()
        options.autotune.enabled = False
        return (
            tf.data.Dataset.from_tensors(0)
            .map(begin)
            .flat_map(batches)
            .prefetch(2)
            .with_options(options)
        )


def _chunks(steps: Iterable[_Step], size: Callable[[], int]) -> Iterator[_Step]:
    """Group up to `size()` consecutive steps of the same epoch and length: indices as (steps, ..., samples)."""
    for (epoch, _), alike in itertools.groupby(steps, lambda step: (step[0], step[2].shape)):
        while chunk := list(itertools.islice(alike, size())):
            yield epoch, chunk[0][1], np.stack([indices for *_, indices in chunk])


_OPEN: WeakSet[Batches] = WeakSet()


@atexit.register
def _close_all() -> None:
    """Ensure that no TensorFlow thread is in Python, or calls it again, when Python exits.

    Such a thread would end in the middle of its work. An object that still holds an iterator, such as the traceback of
    an interrupted run, would then wait for it forever.
    """
    still_open = list(_OPEN)
    for batches in still_open:
        batches.close()
    if still_open:
        time.sleep(0.02)  # time to return from our code into TensorFlow


def training_batches(
    samples: Source,
    *,
    order: SampleOrder,
    rank: int,
    start: Position = _START,
    augmentation: Augmentation | None = None,
    ignore_index: int | None = None,
    threads: int = 1,
    normalization: Normalization | None = None,
    mixing: Mixing | None = None,
    classes: int = 0,
    epochs: int = 0,
) -> Batches:
    """Return this rank's batches from a position on, without end. Pass the order's `steps_per_epoch` to `fit`.

    The last step of an epoch may have fewer samples, on some ranks none.

    Args:
        samples: inputs (integers are scaled to 0..1) and targets.
        order: which rank reads which samples when; its seed is also used for augmentation.
        rank: this rank.
        start: the first step, possibly in the middle of an epoch.
        augmentation: of inputs and masks, drawn from (seed, epoch, index in `samples`).
        ignore_index: number in masks that marks pixels to leave out; no crop is placed on them.
        threads: number of threads that read and augment.
        normalization: of inputs, after the augmentation.
        mixing: of pictures with labels, which become numbers per class, (samples, classes), or with boxes, in each
            global batch.
        classes: number of classes, for `mixing`.
        epochs: of the run, for `mixing`, which may leave out the last ones.
    """
    if order.count != len(samples):
        raise ValueError(
            f"Received: an order of {order.count} samples for {len(samples)} samples. Expected: equal numbers."
        )

    def steps() -> Iterator[_Step]:
        for position, indices in order.after(start, rank, group=mixing.group if mixing else 1):
            yield position.epoch, position.step, indices

    plain = BatchReader(samples, augmentation, order.seed, ignore_index, normalization, trains=True)
    reader: BatchReader | MixedReader | MosaicReader = plain
    if mixing is not None:
        options = {"classes": classes, "seed": order.seed, "epochs": epochs}
        reader = mixing_reader(plain, mixing, **options, says=rank == 0)
    sample_bytes = sum(field.nbytes for field in reader.fields)
    steps_per_read = _CHUNK_BYTES // max(1, order.per_rank_batch_size * sample_bytes)
    steps_per_read = min(max(1, steps_per_read), _MOST_STEPS, order.steps_per_epoch)
    return Batches(reader, steps, threads, steps_per_read=steps_per_read)


def evaluation_batches(
    samples: Source,
    *,
    per_rank_batch_size: int,
    rank: int,
    size: int,
    threads: int = 1,
    normalization: Normalization | None = None,
) -> Batches:
    """Return this rank's block of the samples once, in order, in the same number of steps on every rank.

    Samples are never augmented or cropped.
    """
    start, end = sharding.shard_bounds(len(samples), rank, size)
    count = sharding.evaluation_steps(len(samples), per_rank_batch_size, size)

    def steps() -> Iterator[_Step]:
        for step in range(count):
            first = min(start + step * per_rank_batch_size, end)
            yield 0, step, np.arange(first, min(first + per_rank_batch_size, end))

    reader = BatchReader(samples, normalization=normalization)
    return Batches(reader, steps, threads, count)
