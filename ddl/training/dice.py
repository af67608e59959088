"""How well a mask overlaps the true one: the Dice coefficient, a mean over samples."""

from __future__ import annotations

import keras


@keras.saving.register_keras_serializable(package="ddl")
class Dice(keras.metrics.Mean):
    """Mean over pictures of 2|A and B| / (|A| + |B|), of the predicted mask at 0.5; 1 where both are empty."""

    def __init__(self, name: str = "dice", **kwargs: object) -> None:
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true: object, y_pred: object, sample_weight: object = None) -> None:
        """Count a batch of masks of shape (N, H, W, 1)."""
        truth = keras.ops.cast(y_true, self.dtype)
        found = keras.ops.cast(keras.ops.greater(y_pred, 0.5), self.dtype)
        both = keras.ops.sum(truth * found, axis=(1, 2, 3))
        either = keras.ops.sum(truth + found, axis=(1, 2, 3))
        dice = keras.ops.where(either > 0, 2 * both / keras.ops.maximum(either, 1), 1.0)
        super().update_state(dice, sample_weight)
