"""Datasets that Keras makes of arrays and generators go without tf.data's autotuner; a user's own keep it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.trainers.data_adapters import get_data_adapter

from ddl.distributed.keras_patches import keras_data

IMAGES, TARGETS = np.arange(12.0).reshape(6, 2), np.arange(6.0)


class Batches(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return IMAGES[2 * index : 2 * index + 2], TARGETS[2 * index : 2 * index + 2]


def generated() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    yield from (Batches()[index] for index in range(3))


@pytest.fixture(autouse=True)
def _installed() -> None:
    keras_data.install()
    keras_data.install()  # once is enough, twice is the same


def dataset_of(*args: Any, **kwargs: Any) -> Any:
    adapter = get_data_adapter(*args, **kwargs)
    adapter.on_epoch_begin()
    return adapter.get_tf_dataset()


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ({"x": IMAGES, "y": TARGETS}, {"batch_size": 2}),
        ({"x": generated()}, {}),
        ({"x": Batches()}, {}),
    ],
)
def test_what_keras_makes_goes_without_autotuner(
    data: dict[str, Any], options: dict[str, Any]
) -> None:
    dataset = dataset_of(**data, **options)
    assert dataset.options().autotune.enabled is False
    images = np.concatenate([batch[0] for batch in dataset.take(3)])
    np.testing.assert_array_equal(images, IMAGES)


def test_a_dataset_of_the_user_stays_as_it_is() -> None:
    made = tf.data.Dataset.from_tensor_slices((IMAGES, TARGETS)).batch(2)
    assert dataset_of(made).options().autotune.enabled is None
