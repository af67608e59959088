"""Metrics of targets that are values: the mean absolute and the mean squared error."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="ddl")
class MeanError(keras.metrics.Mean):
    """The mean over samples of the mean error of a sample's values.

    Args:
        power: 1 for absolute, 2 for squared errors.
    """

    def __init__(self, name: str | None = None, *, power: int, **kwargs: Any) -> None:
        super().__init__(name=name or f"error_{power}", **kwargs)
        self._power = power

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets and predictions, both (N, ...)."""
        predicted = ops.cast(ops.convert_to_tensor(y_pred), self.dtype)
        true = ops.cast(ops.convert_to_tensor(y_true), self.dtype)
        count = ops.shape(predicted)[0]
        difference = ops.abs(ops.reshape(true, (count, -1)) - ops.reshape(predicted, (count, -1)))
        each = ops.mean(difference if self._power == 1 else ops.square(difference), axis=1)
        super().update_state(each, sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments for `from_config`."""
        return {**super().get_config(), "power": self._power}
