"""Each rank reads the samples of its order with any number of threads; nothing hangs, and errors keep their message."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tensorflow as tf

from ddl.data.batches import pipeline
from ddl.data.batches.augmentation import Augmentation
from ddl.data.batches.batch_reader import BatchReader
from ddl.data.inputs_and_targets import ArraySamples, MaskSamples
from ddl.data.order import Position, SampleOrder
from ddl.data.source import Source, Subset
from ddl.data.sources import open_source

NUMBERS = np.arange(23, dtype=np.float32)
SAMPLES = ArraySamples(NUMBERS[:, None], NUMBERS.astype(np.int64))
AUGMENTATION = Augmentation(
    flip=True, right_angles=True, elastic_pixels=2.0, noise=0.1, crop_size=8
)


def training(order: SampleOrder, rank: int = 0, samples: Any = SAMPLES, **options: Any) -> Any:
    return pipeline.training_batches(samples, order=order, rank=rank, **options)


def taken(batches: pipeline.Batches, count: int) -> list[tuple[np.ndarray, ...]]:
    with batches:
        return [tuple(part.numpy() for part in batch) for batch in islice(batches.dataset, count)]


def threads_left() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("ddl-data")]


class Faulty(Source):
    """Samples, one of which cannot be read."""

    def __init__(self, bad: int, error: Exception) -> None:
        self.fields, self._bad, self._error = SAMPLES.fields, bad, error

    def __len__(self) -> int:
        return len(SAMPLES)

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        if self._bad in indices:
            raise self._error
        return SAMPLES.read(indices)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("kind", ["global", "contiguous"])
@pytest.mark.parametrize("threads", [1, 3])
def test_each_rank_gets_what_the_order_says_from_any_position_on(kind: str, threads: int) -> None:
    order = SampleOrder(kind, 23, 3, 2, seed=5)
    for rank in (0, 1):
        for start in (Position(), Position(1, 2), Position(2, order.steps_per_epoch)):
            count = 2 * order.steps_per_epoch
            found = taken(training(order, rank, start=start, threads=threads), count)
            expected = islice(order.after(start, rank), count)
            for (inputs, targets), (_, indices) in zip(found, expected, strict=True):
                assert inputs.dtype == np.float32
                assert inputs[:, 0].tolist() == targets.tolist() == indices.tolist()
    assert threads_left() == []


def test_a_rank_without_samples_in_a_step_gets_an_empty_batch() -> None:
    order = SampleOrder("global", 23, 11, 2, seed=0)  # the second step has one sample
    pictures, targets = taken(training(order, rank=1), 2)[1]
    assert pictures.shape == (0, 1)
    assert targets.shape == (0,)


@pytest.mark.parametrize("kind", ["synthetic", "synthetic-3d"])
def test_augmented_samples_depend_on_neither_ranks_nor_threads_nor_a_resume(kind: str) -> None:
    samples = MaskSamples(open_source(kind, count=12, size=16))
    reader = BatchReader(samples, AUGMENTATION, seed=9)
    whole = SampleOrder("global", 12, 4, 1, seed=9)
    everything = taken(training(whole, 0, samples, augmentation=AUGMENTATION, threads=2), 6)
    resumed = training(whole, 0, samples, augmentation=AUGMENTATION, start=Position(1, 1))
    for one, two in zip(everything[4:], taken(resumed, 2), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    halves = [
        taken(
            training(SampleOrder("global", 12, 2, 2, 9), rank, samples, augmentation=AUGMENTATION),
            6,
        )
        for rank in (0, 1)
    ]
    for step, (pictures, masks) in enumerate(everything):
        assert pictures.shape[1:-1] == masks.shape[1:-1] == (8,) * (pictures.ndim - 2)
        for part, array in enumerate((pictures, masks)):
            assert np.array_equal(array, np.concatenate([half[step][part] for half in halves]))
    _, indices = next(whole.after(Position(1, 2), 0))
    assert np.array_equal(everything[5][0], reader(1, indices)[0])


@pytest.mark.parametrize("threads", [1, 3])
def test_evaluation_sees_every_sample_once_in_equal_steps(threads: int) -> None:
    steps, seen = set(), []
    for rank in range(3):
        shard = {"per_rank_batch_size": 3, "rank": rank, "size": 3}
        with pipeline.evaluation_batches(SAMPLES, **shard, threads=threads) as batches:
            for _ in range(2):  # every evaluation starts again
                found = [targets.numpy() for _, targets in batches.dataset]
        steps.add(len(found))
        seen += np.concatenate(found).tolist()
    assert steps == {3}
    assert seen == list(range(23))
    assert threads_left() == []


@pytest.mark.parametrize(
    "error", [ValueError("Received: cell-7.png, damaged."), ZeroDivisionError("a bug")]
)
def test_an_error_in_a_thread_is_raised_unchanged_by_the_block(error: Exception) -> None:
    order = SampleOrder("global", 23, 4, 1, seed=0)
    with (
        pytest.raises(type(error), match=str(error)) as caught,
        training(order, 0, Faulty(7, error), threads=2) as batches,
    ):
        list(islice(batches.dataset, 20))
    assert caught.value is error
    assert caught.value.__suppress_context__
    assert threads_left() == []


def test_only_errors_of_the_data_are_replaced() -> None:
    order = SampleOrder("global", 23, 4, 1, seed=0)
    with pytest.raises(KeyError, match="mine"), training(order) as batches:
        raise KeyError(next(iter(batches.dataset)) and "mine")
    batches = training(order, 0, Faulty(7, ValueError("damaged")))
    with pytest.raises(
        tf.errors.UnknownError, match="damaged"
    ):  # without a block: TensorFlow's error, which contains our line
        list(islice(batches.dataset, 20))
    assert str(batches.error) == "damaged"
    # The damaged sample was read ahead, after the last step of training.
    with training(order, 0, Faulty(7, ValueError("damaged"))) as batches:
        pass


def test_a_second_iteration_ends_the_first_instead_of_sharing_its_samples() -> None:
    with training(SampleOrder("global", 23, 4, 1, seed=0)) as batches:
        first = iter(batches.dataset)
        expected = next(first)[1].numpy()
        assert np.array_equal(next(iter(batches.dataset))[1], expected)
        with pytest.raises(tf.errors.UnknownError, match="two iterations"):
            list(islice(first, 20))


def test_contradictory_arguments_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"an order of 5 samples for 23 samples\. Expected: equal numbers"
    ):
        training(SampleOrder("global", 5, 4, 1, seed=0))
    with pytest.raises(ValueError, match=r"threads=0\. Expected: 1 or more"):
        training(SampleOrder("global", 23, 4, 1, seed=0), threads=0)


def test_tf_data_does_not_tune_itself() -> None:
    batches = training(SampleOrder("global", 23, 4, 1, seed=0))
    assert batches.dataset.options().autotune.enabled is False


def anonymous_bytes() -> int:
    """Return the memory of this process without the pages of files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) << 10


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    count, path = 2000, tmp_path / "big.h5"
    with h5py.File(path, "w") as file:  # 300 MB
        for name, channels in (("image", 8), ("mask", 1)):
            shape = (128, 128, channels)
            dataset = file.create_dataset(name, (count, *shape), np.uint8, chunks=(1, *shape))
            for start in range(0, count, 100):
                dataset[start : start + 100] = np.full((100, *shape), start // 100, np.uint8)
    assert path.stat().st_size > 290e6
    source = open_source(path)
    samples = MaskSamples(Subset(source, np.arange(count)[::-1]))
    order = SampleOrder("global", count, 8, 1, seed=0)
    values, memory = [], []
    with training(order, 0, samples, threads=2) as batches:
        for pictures, _ in islice(batches.dataset, order.steps_per_epoch):
            values += pictures[:, 0, 0, 0].numpy().tolist()
            memory.append(anonymous_bytes())
    source.close()
    assert max(memory) - memory[9] < 80 << 20  # the first batches fill the pipeline
    assert np.bincount(np.rint(np.array(values) * 255).astype(int)).tolist() == [100] * 20


EXIT = """
import itertools, sys
import numpy as np
from ddl.data.batches import pipeline
from ddl.data.order import SampleOrder
from ddl.data.inputs_and_targets import ArraySamples
samples = ArraySamples(np.zeros((64, 256, 256, 3), np.float32), np.zeros(64, np.int64))
batches = pipeline.training_batches(samples, order=SampleOrder("global", 64, 4, 1, 0), rank=0, threads=2)
steps = iter(batches.dataset)  # alive, with its threads, until Python exits
for step in itertools.islice(steps, 3):
    pass
print("leaving")
{end}
"""


def test_a_process_that_ends_in_the_middle_of_its_batches_ends() -> None:
    statuses = {"sys.exit(3)": 3, "raise KeyboardInterrupt": -2}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", EXIT.format(end=end)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        for end in statuses
    ]
    for process, status in zip(started, statuses.values(), strict=True):
        shown, errors = process.communicate(timeout=120)
        assert shown == "leaving\n"
        assert process.returncode == status
        assert "Fatal" not in errors
