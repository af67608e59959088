"""How far the edges of a mask lie from the true ones: the 95th percentile of the Hausdorff distance."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from ddl.training.truth import hard_masks

_FAR = 1e12  # more than any squared distance in a picture


@keras.saving.register_keras_serializable(package="ddl")
class Hausdorff95(keras.metrics.Mean):
    """Mean over pictures of the distance within which 95% of both edges lie from the other, the worse way round.

    0 where both masks are empty, the picture's diagonal where one is. Of several classes, their mean without the
    background. The cost grows with pixels times the sum of the sides: for evaluations rather than every epoch.

    Args:
        spacing: the size of a pixel along each axis, or one size for all.
    """

    def __init__(
        self, name: str = "hausdorff_95", *, spacing: tuple[float, ...] = (1.0,), **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self._spacing = tuple(spacing)
        if not all(0 < size < float("inf") for size in self._spacing):
            raise ValueError(f"Received: spacing={self._spacing}. Expected: numbers above 0.")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch of masks of shape (N, H, W, C) or (N, D, H, W, C)."""
        y_pred = ops.convert_to_tensor(y_pred)
        axes = len(y_pred.shape) - 2
        if axes < 1 or len(self._spacing) not in (1, axes):
            raise ValueError(
                f"Received: predictions of shape {tuple(y_pred.shape)}, spacing={self._spacing}. Expected: masks "
                "(N, H, W, C) or (N, D, H, W, C), and one spacing or one an axis."
            )
        spacing = self._spacing * (axes if len(self._spacing) == 1 else 1)
        masks = hard_masks(ops.convert_to_tensor(y_true), y_pred)
        distances = [
            hausdorff95(truth, found, spacing)
            for truth, found in zip(*(ops.unstack(mask, axis=-1) for mask in masks), strict=True)
        ]
        super().update_state(ops.mean(ops.stack(distances, axis=1), axis=1), sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {**super().get_config(), "spacing": self._spacing}


def hausdorff95(truth: Any, found: Any, spacing: tuple[float, ...]) -> Any:
    """Return the distance of each pair of masks of 0 and 1: (N, H, W) or (N, D, H, W) -> (N,)."""
    edges = [edge(mask > 0.5) for mask in (truth, found)]
    distances = [ops.sqrt(squared_distances(one, spacing)) for one in edges]
    ways = [
        percentile_95(distances[1], edges[0]),
        percentile_95(distances[0], edges[1]),
    ]
    sides = ops.cast(ops.shape(truth)[1:], "float32") * ops.convert_to_tensor(spacing, "float32")
    diagonal = ops.sqrt(ops.sum(sides**2))
    places = tuple(range(1, len(truth.shape)))
    some, other = (ops.any(one, axis=places) for one in edges)
    worse = ops.where(some & other, ops.maximum(*ways), diagonal)
    return ops.where(some | other, worse, 0.0)


def edge(mask: Any) -> Any:
    """Return the pixels of the mask that have a side in common with what is not the mask, or with the outside."""
    axes = len(mask.shape) - 1
    padded = ops.pad(ops.cast(mask, "int32"), [(0, 0)] + [(1, 1)] * axes) > 0
    inner = mask
    for axis in range(1, axes + 1):
        for first in (0, 2):
            window = [slice(None)] + [slice(1, -1)] * axes
            window[axis] = slice(first, -2 if first == 0 else None)
            inner = inner & padded[tuple(window)]
    return mask & ~inner


def squared_distances(points: Any, spacing: tuple[float, ...]) -> Any:
    """Return each pixel's squared distance to the nearest of the points, axis by axis: (N, ...) -> (N, ...)."""
    nearest = ops.where(points, 0.0, _FAR)
    for axis, size in enumerate(spacing, start=1):
        side = ops.shape(nearest)[axis]
        shape = [1] * len(points.shape)
        shape[axis] = -1
        places = ops.reshape(ops.cast(ops.arange(side), "float32"), shape) * size

        def via(
            place: Any, best: Any, known: Any = nearest, at: Any = places, of: int = axis
        ) -> Any:
            """Take the way over the points of one row or column."""
            index = ops.expand_dims(place, axis=0)
            apart = (at - ops.take(at, index, axis=of)) ** 2
            return ops.minimum(best, ops.take(known, index, axis=of) + apart)

        nearest = ops.fori_loop(0, side, via, nearest)
    return nearest


def percentile_95(values: Any, where: Any) -> Any:
    """Return the 95th percentile of the values at some places, as NumPy's: (N, ...) -> (N,); any number if nowhere."""
    count = ops.shape(values)[0]
    chosen = ops.reshape(ops.where(where, values, math.sqrt(_FAR)), (count, -1))
    ordered = ops.sort(chosen, axis=1)
    number = ops.sum(ops.cast(ops.reshape(where, (count, -1)), "int32"), axis=1)
    place = 0.95 * ops.cast(ops.maximum(number - 1, 0), "float32")
    below = ops.cast(ops.floor(place), "int32")
    above = ops.minimum(below + 1, ops.maximum(number - 1, 0))
    low, high = (
        ops.take_along_axis(ordered, ops.expand_dims(index, 1), axis=1)[:, 0]
        for index in (below, above)
    )
    return low + (high - low) * (place - ops.cast(below, "float32"))
