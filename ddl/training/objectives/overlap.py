"""Overlap metrics of masks, averaged over samples: Dice coefficient and intersection over union."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ddl.training.objectives.targets import hard_masks, pixels, some_pixel_counts


class _Overlap(keras.metrics.Mean):
    """Mean over samples of the overlap of masks (N, ..., C), averaged over classes without the background.

    Args:
        background: with several classes, average over class 0, too.
        ignore_index: class number of pixels to leave out of the overlap; a sample without other pixels does not count.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        background: bool = False,
        ignore_index: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self._background, self._ignored = background, ignore_index

    def get_config(self) -> dict[str, Any]:
        """Return the arguments for `from_config`."""
        own = {"background": self._background, "ignore_index": self._ignored}
        return {**super().get_config(), **own}

    def update_state(self, y_true: object, y_pred: object, sample_weight: object = None) -> None:
        """Add a batch of masks of shape (N, H, W, C) or (N, D, H, W, C)."""
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.convert_to_tensor(y_true)
        *masks, weights = hard_masks(y_true, y_pred, self._ignored, background=self._background)
        truth, predicted = (ops.cast(pixels(mask), self.dtype) for mask in masks)
        both, either = ops.sum(truth * predicted, axis=1), ops.sum(truth + predicted, axis=1)
        overlap = ops.where(either > 0, self._overlap(both, either), 1.0)
        sample_weight = some_pixel_counts(weights, sample_weight)
        super().update_state(ops.mean(overlap, axis=1), sample_weight)

    def _overlap(self, both: Any, either: Any) -> Any:
        """Return the overlap from |A and B| and |A| + |B|, each (N, C)."""
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="ddl")
class Dice(_Overlap):
    """Mean over images of 2|A and B| / (|A| + |B|), with predictions thresholded at 0.5; 1 if both masks are empty."""

    def _overlap(self, both: Any, either: Any) -> Any:
        return 2 * both / ops.maximum(either, 1)


@keras.saving.register_keras_serializable(package="ddl")
class IoU(_Overlap):
    """Mean over images of |A and B| / |A or B|, with predictions thresholded at 0.5; 1 if both masks are empty."""

    def _overlap(self, both: Any, either: Any) -> Any:
        return both / ops.maximum(either - both, 1)
