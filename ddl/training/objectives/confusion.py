"""Metrics of class counts over all images or pixels: precision, recall, confusion matrix, top-k accuracy."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ddl.training.objectives.targets import (
    decided,
    pixels,
    some_pixel_counts,
    truth_and_weights,
    weighted_mean,
)


def counts(
    y_true: Any, y_pred: Any, sample_weight: Any = None, ignore_index: int | None = None
) -> Any:
    """Return the confusion matrix (true class, predicted class) as float64 (C, C); C = 2 for one channel.

    Args:
        y_true: (N, ..., C), or class numbers (N, ...) or (N, ..., 1).
        y_pred: probabilities (N, ..., C).
        sample_weight: (N,).
        ignore_index: class number of images or pixels to leave out.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    whole, weights = truth_and_weights(ops.convert_to_tensor(y_true), y_pred, ignore_index)
    truth, predicted = pixels(whole), pixels(decided(y_pred))
    if y_pred.shape[-1] == 1:
        truth = ops.concatenate([1 - truth, truth], axis=2)
        predicted = ops.concatenate([1 - predicted, predicted], axis=2)
    # float32 counts up to 16 million pixels per image exactly; sums over images need float64.
    truth, predicted = ops.cast(truth, "float32"), ops.cast(predicted, "float32")
    if weights is not None:
        truth *= ops.cast(pixels(weights), "float32")
    each = ops.cast(ops.einsum("npi,npj->nij", truth, predicted), "float64")
    if sample_weight is not None:
        each *= ops.reshape(ops.cast(sample_weight, "float64"), (-1, 1, 1))
    return ops.sum(each, axis=0)


class _Confusion(keras.metrics.Metric):
    """A metric with the confusion matrix as its state, created when the first batch shows the number of classes.

    Args:
        ignore_index: class number of images or pixels to leave out.
    """

    def __init__(
        self, name: str | None = None, *, ignore_index: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self._ignored = ignore_index
        self._counts: Any = None
        self._left_out = 0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch: y_pred is (N, C) for labels, (N, ..., C) for masks."""
        if self._counts is None:
            classes = max(2, y_pred.shape[-1])
            self._counts = self.add_variable((classes, classes), "zeros", "float64", name="counts")
            # In masks, and with a single probability, class 0 is the background.
            self._left_out = int(len(y_pred.shape) > 2 or y_pred.shape[-1] == 1)
        self._counts.assign_add(counts(y_true, y_pred, sample_weight, self._ignored))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments for `from_config`."""
        return {**super().get_config(), "ignore_index": self._ignored}

    def _mean_of_rates(self, axis: int) -> Any:
        """Return diagonal / sums along the axis, averaged over the classes that occur at all."""
        if self._counts is None:
            return ops.zeros(())
        right = ops.diagonal(self._counts)[self._left_out :]
        sums = [ops.sum(self._counts, axis=axis)[self._left_out :] for axis in (0, 1)]
        rates = right / ops.maximum(sums[axis], 1e-12)
        occurs = ops.cast(sums[0] + sums[1] > 0, "float64")
        mean = ops.sum(rates * occurs) / ops.maximum(ops.sum(occurs), 1)
        return ops.cast(mean, self.dtype)


@keras.saving.register_keras_serializable(package="ddl")
class Precision(_Confusion):
    """TP / (TP + FP) over all images or pixels, averaged over classes.

    The background of masks is left out, and so are classes that neither occur nor are predicted.
    """

    def result(self) -> Any:
        """Return the precision so far, 0 without any positive prediction."""
        return self._mean_of_rates(axis=0)


@keras.saving.register_keras_serializable(package="ddl")
class Recall(_Confusion):
    """TP / (TP + FN) over all images or pixels, averaged over classes.

    The background of masks is left out, and so are classes that neither occur nor are predicted.
    """

    def result(self) -> Any:
        """Return the recall so far, 0 without any positive sample."""
        return self._mean_of_rates(axis=1)


@keras.saving.register_keras_serializable(package="ddl")
class ConfusionMatrix(_Confusion):
    """Counts of true class (row) and predicted class (column). The result is the whole matrix, (C, C).

    For evaluation only: a training history holds single numbers.
    """

    def result(self) -> Any:
        """Return the counts so far."""
        # A copy: the variable itself would keep changing in the caller's hands.
        return ops.zeros((0, 0)) if self._counts is None else ops.add(self._counts, 0)


@keras.saving.register_keras_serializable(package="ddl")
class TopK(keras.metrics.Mean):
    """Fraction of samples whose true class is among the k most probable. Ties count as correct, NaN does not.

    Args:
        k: number of classes that may hold the true one.
        ignore_index: class number of samples or pixels to leave out; a sample without other pixels does not count.
    """

    def __init__(
        self, name: str | None = None, *, k: int, ignore_index: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(name=name or f"top_{k}", **kwargs)
        self._k, self._ignored = k, ignore_index

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch: y_pred is (N, C), or (N, ..., C), where the fraction of correct pixels counts per sample."""
        y_pred = ops.convert_to_tensor(y_pred)
        classes = max(2, y_pred.shape[-1])
        if self._k >= classes:
            raise ValueError(
                f"Received: {self.name} with {classes} classes, which is always 1. Expected: more "
                f"than {self._k} classes."
            )
        whole, weights = truth_and_weights(ops.convert_to_tensor(y_true), y_pred, self._ignored)
        truth, predicted = pixels(whole), pixels(y_pred)
        if y_pred.shape[-1] == 1:
            is_number = ops.equal(predicted, predicted)
            right = (ops.equal(predicted > 0.5, truth > 0.5) & is_number)[..., 0]
        else:
            # argmax also finds the true class of smoothed labels.
            index = ops.expand_dims(ops.argmax(truth, axis=-1), axis=-1)
            own = ops.take_along_axis(predicted, index, axis=-1)
            above = ops.logical_not(predicted <= own)  # also True for NaN
            right = ops.sum(ops.cast(above, "int32"), axis=-1) < self._k
        share = weighted_mean(
            ops.cast(right, self.dtype), None if weights is None else pixels(weights)
        )
        super().update_state(share, some_pixel_counts(weights, sample_weight))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments for `from_config`."""
        return {**super().get_config(), "k": self._k, "ignore_index": self._ignored}
