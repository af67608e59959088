"""The 95th percentile of the Hausdorff distance between the edges of two masks."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from ddl.training.objectives.targets import hard_masks, some_pixel_counts


@keras.saving.register_keras_serializable(package="ddl")
class Hausdorff95(keras.metrics.Mean):
    """Mean over images of the 95th percentile of distances from one edge to the other, the larger of both directions.

    It is 0 if both masks are empty and the image's diagonal if one is. Several classes are averaged, without the
    background. SciPy computes it on the CPU, one mask at a time, so XLA cannot compile it: on a GPU, compile your own
    model with `jit_compile=False`.

    Args:
        spacing: pixel size along each axis, or one size for all axes.
        ignore_index: class number of pixels that are taken as background in both masks; a sample without other pixels
            does not count.
    """

    def __init__(
        self,
        name: str = "hausdorff_95",
        *,
        spacing: tuple[float, ...] = (1.0,),
        ignore_index: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self._spacing = tuple(spacing)
        self._ignored = ignore_index

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of masks of shape (N, H, W, C) or (N, D, H, W, C)."""
        import tensorflow as tf

        y_pred = ops.convert_to_tensor(y_pred)
        axes = len(y_pred.shape) - 2
        if axes < 1 or len(self._spacing) not in (1, axes):
            raise ValueError(
                f"Received: predictions of shape {tuple(y_pred.shape)}, spacing={self._spacing}. Expected: masks "
                "(N, H, W, C) or (N, D, H, W, C), and one spacing, or one per axis."
            )
        *both, weights = hard_masks(ops.convert_to_tensor(y_true), y_pred, self._ignored)
        masks = [mask > 0.5 for mask in both]
        distances = tf.numpy_function(self._distances, masks, tf.float32)
        sample_weight = some_pixel_counts(weights, sample_weight)
        super().update_state(tf.ensure_shape(distances, (None,)), sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments for `from_config`."""
        return {**super().get_config(), "spacing": self._spacing, "ignore_index": self._ignored}

    def _distances(self, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """Return the mean over classes for each image: two masks (N, ..., C) -> (N,)."""
        distances = [
            [hausdorff95(t[..., c], p[..., c], self._spacing) for c in range(t.shape[-1])]
            for t, p in zip(truth, predicted, strict=True)
        ]
        return np.array([np.mean(of_classes) for of_classes in distances], np.float32)


def hausdorff95(
    truth: np.ndarray, predicted: np.ndarray, spacing: tuple[float, ...] = (1.0,)
) -> float:
    """Return the distance between two boolean masks, (H, W) or (D, H, W)."""
    from scipy import ndimage

    spacing = spacing * (truth.ndim if len(spacing) == 1 else 1)
    if not (truth.any() and predicted.any()):
        is_empty = not (truth.any() or predicted.any())
        return 0.0 if is_empty else float(np.linalg.norm(np.multiply(truth.shape, spacing)))
    # Edge pixels share a side with a pixel outside the mask, or with the image border.
    edges = [mask & ~ndimage.binary_erosion(mask) for mask in (truth, predicted)]
    far = [ndimage.distance_transform_edt(~edge, sampling=spacing) for edge in edges]
    both_directions = far[1][edges[0]], far[0][edges[1]]
    return float(max(np.percentile(distances, 95) for distances in both_directions))
