"""Turns off tf.data's autotuner in datasets that Keras makes from arrays, generators and `PyDataset`s."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter
from keras.src.trainers.data_adapters.generator_data_adapter import GeneratorDataAdapter
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter


def install() -> None:
    """Turn off the autotuner in the whole process: the end of an epoch would wait seconds for its thread.

    Datasets that a user makes stay unchanged.
    """
    for adapter in (ArrayDataAdapter, GeneratorDataAdapter, PyDatasetAdapter):
        if not hasattr(adapter.get_tf_dataset, "__wrapped__"):
            adapter.get_tf_dataset = _without_autotuner(adapter.get_tf_dataset)


def _without_autotuner(get_dataset: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(get_dataset)
    def get_tf_dataset(self: Any) -> Any:
        options = tf.data.Options()
        options.autotune.enabled = False
        return get_dataset(self).with_options(options)

    return get_tf_dataset
