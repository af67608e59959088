"""Measures the layers of a model on a few training samples, on all ranks together, and leaves no trace in the model."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import ddl.distributed as dist
from ddl.distributed.gradients.reduction import Reduction
from ddl.distributed.gradients.step_share import even, taking
from ddl.distributed.state.variables import restored
from ddl.training.probing.layers import collecting, own_weights, probed_layers

_Tensors = list[Any]


class Measurement:
    """Passes the probe's batches forward and backward as a training step does, without an update. Every rank has one.

    All ranks must call each method together.
    """

    def __init__(self, model: keras.Model, spec: Any) -> None:
        """Prepare it: nothing is traced yet.

        Args:
            model: compiled, with a distributed optimizer.
            spec: the `element_spec` of the probe's batches.
        """
        self._model, self._spec = model, spec
        self._layers = probed_layers(model)

    def take(self, batches: Iterator[Any], passes: int) -> list[dict[str, Any]]:
        """Return the facts of each layer, over the samples of all ranks, as `facts_of` makes them.

        Args:
            batches: this rank's batches, of equally many samples on each rank.
            passes: how many of them to take.
        """
        model = self._model
        changing = [v for v in model.variables if not v.trainable] + list(model.metrics_variables)
        totals: _Tensors = []
        sums, most = [], []
        with restored(changing):
            for _ in range(passes):
                gradients, moments, peaks = self._passed(next(batches))
                totals = (
                    [_added(*pair) for pair in zip(totals, gradients, strict=True)]
                    if totals
                    else gradients
                )
                sums.append([[float(value) for value in pair] for pair in moments])
                most.append([np.asarray(peak, np.float64) for peak in peaks])
        norms = self._norms(totals, passes)
        means = dist.allreduce(np.mean(np.array(sums).reshape(passes, -1, 2), axis=0), "mean")
        peaks = self._over_ranks(
            [np.max(np.stack(each), axis=0) for each in zip(*most, strict=True)]
        )
        return self._facts(norms, np.asarray(means), peaks)

    def weights(self) -> _Tensors:
        """Return a copy of the trainable weights."""
        return [tf.identity(variable.value) for variable in self._model.trainable_variables]

    def updates(self, before: Sequence[Any]) -> list[float]:
        """Return the norm of each weight's change since `before`, a result of `weights`."""
        pairs = zip(self._model.trainable_variables, before, strict=True)
        return [_norm(tf.cast(v.value, tf.float64) - tf.cast(old, tf.float64)) for v, old in pairs]

    def with_updates(self, facts: list[dict[str, Any]], norms: Sequence[float] | None) -> None:
        """Add to the facts of each layer the length of its last update, and that over the length of its weights."""
        for probed, layer in zip(self._layers, facts, strict=True):
            has = norms is not None and probed.variables
            length = math.hypot(*(norms[at] for at in probed.variables)) if has and norms else None
            layer["update_norm"] = length
            size = layer["weight_norm"]
            layer["update_ratio"] = length / size if length is not None and size else None

    @functools.cached_property
    def _passed(self) -> Any:
        """The traced pass of a batch: gradients, (mean, mean of squares) of each layer, and units' largest numbers."""

        def passed(data: Any) -> Any:
            model = self._model
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
            with taking, even, tf.GradientTape() as tape:
                with collecting(self._layers) as outputs:
                    y_pred = model(x, training=True) if model._call_has_training_arg else model(x)
                loss = model._compute_loss(
                    x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True
                )
                scale = _loss_scale(model.optimizer)
                scaled = loss * tf.cast(scale, loss.dtype)
            found = tape.gradient(scaled, model.trainable_weights)
            gradients = [
                None if g is None else tf.cast(tf.convert_to_tensor(g), tf.float32) / scale
                for g in found
            ]
            each = [outputs.of.get(id(probed.layer), []) for probed in self._layers]
            return (
                gradients,
                [_moments(one) for one in each],
                [
                    _peaks(one)
                    for one, probed in zip(each, self._layers, strict=True)
                    if probed.cuts
                ],
            )

        return tf.function(passed, input_signature=[self._spec], autograph=False)

    def _norms(self, totals: _Tensors, passes: int) -> list[float | None]:
        """Return the norm of each weight's gradient: the mean over the samples of all ranks."""
        places = [at for at, total in enumerate(totals) if total is not None]
        means = [totals[at] / passes for at in places]
        if dist.size() > 1 and means:
            means = Reduction().average(means)
        norms: list[float | None] = [None] * len(totals)
        for at, mean in zip(places, means, strict=True):
            norms[at] = _norm(mean)
        return norms

    @staticmethod
    def _over_ranks(peaks: list[np.ndarray]) -> list[np.ndarray]:
        """Return the largest number of each unit over all ranks."""
        if not peaks:
            return []
        ends = np.cumsum([peak.size for peak in peaks])[:-1]
        return np.split(np.asarray(dist.allreduce(np.concatenate(peaks), "max")), ends)

    def _facts(
        self, norms: Sequence[float | None], means: np.ndarray, peaks: Sequence[np.ndarray]
    ) -> list[dict[str, Any]]:
        rows, each = [], iter(peaks)
        for probed, (mean, square) in zip(self._layers, means, strict=True):
            own = [norms[at] for at in probed.variables]
            known = [norm for norm in own if norm is not None]
            weights = own_weights(probed.layer)
            units = next(each) if probed.cuts else None
            rows.append(
                {
                    "name": probed.name,
                    "kind": probed.kind,
                    "parameters": sum(math.prod(weight.shape) for weight in weights),
                    "weight_norm": math.hypot(*(_norm(w.value) for w in weights))
                    if weights
                    else None,
                    "gradient_norm": math.hypot(*known) if known else None,
                    "units": None if units is None else len(units),
                    "dead_share": None if units is None else float(np.mean(units == 0)),
                    "activation_mean": float(mean),
                    "activation_std": _deviation(float(mean), float(square)),
                }
            )
        return rows


def _deviation(mean: float, square: float) -> float:
    """Return the standard deviation of numbers with this mean and this mean of squares."""
    return math.sqrt(max(0.0, square - mean**2)) if math.isfinite(square) else square


def _added(one: Any, other: Any) -> Any:
    return None if one is None else one + other


def _norm(tensor: Any) -> float:
    return float(tf.norm(tf.reshape(tf.cast(tensor, tf.float64), [-1])))


def _loss_scale(optimizer: Any) -> Any:
    """Return the factor without which gradients in float16 would become 0."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return tf.cast(optimizer.dynamic_scale, tf.float32)
    return tf.constant(1.0, tf.float32)


def _moments(outputs: Sequence[Any]) -> list[Any]:
    """Return the mean of all numbers and that of their squares; zeros of a layer that was not called."""
    if not outputs:
        return [tf.constant(0.0, tf.float32)] * 2
    values = tf.concat([tf.reshape(tf.cast(one, tf.float32), [-1]) for one in outputs], axis=0)
    return [tf.reduce_mean(values), tf.reduce_mean(tf.square(values))]


def _peaks(outputs: Sequence[Any]) -> Any:
    """Return the largest number of each unit, (units,): of a convolution, a unit is a channel."""
    units = [
        tf.reduce_max(tf.abs(tf.reshape(tf.cast(one, tf.float32), [-1, one.shape[-1]])), axis=0)
        for one in outputs
    ]
    return functools.reduce(tf.maximum, units) if units else tf.zeros(0, tf.float32)
