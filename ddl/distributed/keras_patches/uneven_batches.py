"""Train and test steps that work with any number of samples on this rank, including none."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from ddl.distributed.gradients.reduction import is_local
from ddl.distributed.gradients.step_share import declared, even, sample_count, taking
from ddl.distributed.state.moving_statistics import local_layers


def wrapped(model: keras.Model, step: Callable[[Any], Any], train: bool) -> Callable[[Any], Any]:
    """Wrap a model's train or test step so that it works with any number of samples on this rank.

    A rank without samples runs the step on one row of zeros, so that it joins every reduction. Its share is 0, and its
    metrics and local moving statistics stay unchanged.
    """

    def step_with_share(data: Any) -> Any:
        with taking:
            return shared_step(data)

    def shared_step(data: Any) -> Any:
        count = sample_count(data)
        shares = train and not is_local(model.optimizer)
        if isinstance(count, int):  # known at tracing, so this rank has samples
            with declared(count) if shares else contextlib.nullcontext():
                return step(data)
        build_metrics(model, data)
        before = {id(variable): tf.identity(variable) for variable in _local_variables(model)}
        if not even:
            data = keras.tree.map_structure(lambda leaf: _pad_if_empty(leaf, count), data)
        with declared(count) if shares else contextlib.nullcontext():
            logs = step(data)
        batch_means = {id(variable) for variable in _batch_means(model)}
        for variable in _local_variables(model):
            value = before[id(variable)]
            if id(variable) in batch_means:
                variable.assign(value + tf.cast(count, variable.dtype) * (variable - value))
            elif not even:
                variable.assign(tf.where(count > 0, variable, value))
        return logs

    return step_with_share


def build_metrics(model: keras.Model, data: Any) -> None:
    """Create the variables of compiled metrics before the first step.

    Args:
        model: a compiled model.
        data: a batch, or the `element_spec` of a dataset of batches.
    """
    parts = (getattr(model, "_compile_metrics", None), getattr(model, "_compile_loss", None))
    if any(part is not None and not part.built for part in parts):
        with tf.init_scope():
            model._symbolic_build(data_batch=data)


def _pad_if_empty(leaf: Any, count: tf.Tensor) -> Any:
    if not isinstance(leaf, tf.Tensor):
        return leaf
    row = tf.concat([[1], tf.shape(leaf)[1:]], axis=0)
    padded = tf.cond(count > 0, lambda: leaf, lambda: tf.zeros(row, leaf.dtype))
    padded.set_shape([None, *leaf.shape[1:]])
    return padded


def _local_variables(model: keras.Model) -> list[tf.Variable]:
    """Return the variables that a step changes without a reduction: metrics and local moving statistics."""
    local = list(model.metrics_variables)
    for layer in local_layers(model):
        local += layer.non_trainable_variables
    return [variable.value for variable in local]


def _batch_means(model: keras.Model) -> list[tf.Variable]:
    """Return the variables in which Keras averages the loss of each output.

    Keras weights a batch by its size if the size is known at tracing, and by 1 otherwise. With weight 1 a mean over
    ranks would not be a mean over samples.
    """
    losses = getattr(model, "_compile_loss", None)
    trackers = losses.metrics if losses is not None else []
    return [variable.value for tracker in trackers for variable in tracker.variables]
