"""Losses of detectors, one per sample: rows of boxes (N, most, 6) and raw predictions (N, positions, 5 + C) -> (N,).

Published losses are divided by the number of true boxes, or of positive positions, of a whole batch. Here each sample
is divided by its own, so the loss does not depend on how samples are distributed over batches and ranks. Boxes that are
to be ignored are no targets, and no position is wrong there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from keras import ops

from ddl.boxes.decoding import LARGEST, positions_of
from ddl.boxes.layout import BOX_NUMBERS, FIRST_CLASS, OBJECT, Layout
from ddl.boxes.rows import CLASS, CORNERS, IGNORED

_TINY = 1e-9
_CENTRE_STRIDES = 1.5
_REACH_STRIDES = 8


def yolo(
    y_true: Any,
    y_pred: Any,
    *,
    layout: Layout,
    sides: tuple[int, int],
    box_weight: float = 1.0,
    empty_weight: float = 0.5,
    class_weight: float = 1.0,
    ignore_above: float = 0.5,
) -> Any:
    """Return the loss of YOLOv3, divided by the number of true boxes of the sample, at least 1.

    A box is predicted by the anchor, of all levels, whose sides fit it best, in the cell that has its centre.

    Args:
        box_weight: weight of the error of centres and sides.
        empty_weight: weight of the error of "there is an object" where none is; Darknet's is 1.
        class_weight: weight of the error of classes.
        ignore_above: a position whose predicted box overlaps a true one more than this (intersection over union) is
            not wrong.
    """
    rows, size = ops.cast(y_true, y_pred.dtype), _size(sides, y_pred.dtype)
    counts, is_box = _kinds(rows)
    corners = rows[:, :, CORNERS] * size
    own = _anchor_positions(corners, layout, sides)
    places = positions_of(layout, sides)
    predicted = ops.take_along_axis(y_pred, own[:, :, None], axis=1)  # (N, most, 5 + C)
    cell = ops.take(_constant(places.corners, y_pred), own, axis=0)
    stride = ops.take(_constant(places.strides, y_pred), own, axis=0)[:, :, None]
    anchor = ops.take(_constant(places.anchors, y_pred), own, axis=0)
    lengths = ops.maximum(corners[:, :, 2:] - corners[:, :, :2], _TINY)
    middle = (corners[:, :, :2] + corners[:, :, 2:]) / 2
    # Small boxes weigh up to twice as much, as published.
    scale = 2 - lengths[:, :, 0] * lengths[:, :, 1] / (sides[0] * sides[1])
    share = ops.clip((middle - cell) / stride, 0, 1)
    off_centre = ops.sum(_entropy(share, predicted[:, :, :2]), axis=2)
    logs = ops.log(lengths / anchor)
    off_sides = ops.sum(ops.square(predicted[:, :, 2:BOX_NUMBERS] - logs), axis=2) / 2
    wrong_class = _class_entropy(rows, predicted)
    missed = _entropy(ops.ones_like(scale), predicted[:, :, OBJECT])
    per_box = box_weight * scale * (off_centre + off_sides) + class_weight * wrong_class + missed
    total = ops.sum(ops.where(counts, per_box, 0.0), axis=1)

    is_owned = _any_position(own, counts, y_pred.shape[1])
    is_near = ops.max(
        ops.where(is_box[:, None], _overlaps(_decoded(y_pred, layout, sides), corners), 0.0), axis=2
    )
    is_empty = ops.logical_not(ops.logical_or(is_owned, is_near > ignore_above))
    invented = _entropy(ops.zeros_like(is_near), y_pred[:, :, OBJECT])
    total += empty_weight * ops.sum(ops.where(is_empty, invented, 0.0), axis=1)
    return total / _number(counts, y_pred)


def fcos(
    y_true: Any,
    y_pred: Any,
    *,
    layout: Layout,
    sides: tuple[int, int],
    box_weight: float = 1.0,
    centre_weight: float = 1.0,
    gamma: float = 2.0,
    alpha: float = 0.25,
) -> Any:
    """Return the loss of FCOS, divided by the number of positions of the sample that belong to a box, at least 1.

    A position belongs to the smallest box around it, if it is near its centre, and if the box fits its level. The
    objectness learns how central a position is; classes have a focal loss.

    Args:
        box_weight: weight of 1 minus the generalized intersection over union, a mean weighted by how central a position
            is.
        centre_weight: weight of the error of how central a position is.
        gamma: exponent of the focal loss; 0 for none.
        alpha: weight of true classes against others in the focal loss.
    """
    rows = ops.cast(y_true, y_pred.dtype)
    counts, is_box = _kinds(rows)
    corners = rows[:, :, CORNERS] * _size(sides, y_pred.dtype)
    reach, belongs, inside = _belonging(corners, counts, is_box, layout, sides, y_pred)
    areas = _areas(corners)[:, None]
    owner = ops.argmin(ops.where(belongs, areas, math.inf), axis=2)  # (N, positions)
    is_positive = ops.any(belongs, axis=2)
    truth = ops.take_along_axis(corners, owner[:, :, None], axis=1)
    own_reach = ops.take_along_axis(reach, owner[:, :, None, None], axis=2)[:, :, 0]
    own_reach = ops.where(is_positive[:, :, None], ops.maximum(own_reach, _TINY), 1.0)
    central = ops.sqrt(
        _ratio(own_reach[:, :, 0], own_reach[:, :, 2])
        * _ratio(own_reach[:, :, 1], own_reach[:, :, 3])
    )
    off_box = 1 - _generalized_overlap(_decoded(y_pred, layout, sides), truth)
    off_centre = _entropy(central, y_pred[:, :, OBJECT])
    share = ops.where(is_positive, central, 0.0)
    # The mean over positions, each weighted by how central it is, as published: edges say little about a box.
    mean_off = ops.sum(share * off_box, axis=1) / ops.maximum(ops.sum(share, axis=1), _TINY)
    total = centre_weight * ops.sum(ops.where(is_positive, off_centre, 0.0), axis=1)

    labels = ops.take_along_axis(rows[:, :, CLASS], owner, axis=1)
    classes = ops.one_hot(
        ops.cast(ops.maximum(labels, 0), "int32"), layout.classes, dtype=y_pred.dtype
    )
    classes = ops.where(is_positive[:, :, None], classes, 0.0)
    logits = y_pred[:, :, FIRST_CLASS:]
    chance = ops.sigmoid(logits)
    miss = ops.where(classes > 0, 1 - chance, chance)
    weight = alpha * classes + (1 - alpha) * (1 - classes)
    focal = ops.sum(weight * ops.power(miss + _TINY, gamma) * _entropy(classes, logits), axis=2)
    is_free = ops.logical_or(is_positive, ops.logical_not(inside))  # not in a box to ignore
    total += ops.sum(ops.where(is_free, focal, 0.0), axis=1)
    return box_weight * mean_off + total / _number(is_positive, y_pred)


def _kinds(rows: Any) -> tuple[Any, Any]:
    """Return which rows hold a box to find, and which any box, (N, most)."""
    is_box = rows[:, :, CLASS] >= 0
    return ops.logical_and(is_box, rows[:, :, IGNORED] <= 0), is_box


def _anchor_positions(corners: Any, layout: Layout, sides: tuple[int, int]) -> Any:
    """Return the position that predicts each box, (N, most): that of its best anchor, in the cell of its centre."""
    table, first = [], 0
    for level, rows, columns in layout.grids(sides):
        for number, anchor in enumerate(level.anchors):
            table.append(
                (*anchor, level.stride, rows, columns, level.positions_per_cell, first + number)
            )
        first += rows * columns * level.positions_per_cell
    width, height, stride, rows_of, columns_of, per_cell, offset = np.array(table, float).T
    lengths = ops.maximum(corners[:, :, 2:] - corners[:, :, :2], 0.0)
    anchors = np.stack([width, height], axis=1)
    common = ops.prod(ops.minimum(lengths[:, :, None], _constant(anchors, lengths)), axis=3)
    union = ops.prod(lengths, axis=2)[:, :, None] + _constant(width * height, lengths) - common
    best = ops.argmax(common / ops.maximum(union, _TINY), axis=2)

    def of_best(values: np.ndarray) -> Any:
        return ops.take(ops.convert_to_tensor(values.astype("int32")), best, axis=0)

    middle = (corners[:, :, :2] + corners[:, :, 2:]) / 2
    cells = ops.cast(
        ops.floor(middle / ops.cast(of_best(stride), lengths.dtype)[:, :, None]), "int32"
    )
    column = ops.clip(cells[:, :, 0], 0, of_best(columns_of) - 1)
    row = ops.clip(cells[:, :, 1], 0, of_best(rows_of) - 1)
    return of_best(offset) + (row * of_best(columns_of) + column) * of_best(per_cell)


def _belonging(
    corners: Any, counts: Any, is_box: Any, layout: Layout, sides: tuple[int, int], like: Any
) -> tuple[Any, Any, Any]:
    """Return how far each position is from the sides of each box, (N, positions, most, 4); which boxes it belongs to,
    (N, positions, most); and whether it lies in a box to ignore, (N, positions)."""
    places = positions_of(layout, sides)
    strides = np.array([level.stride for level in layout.levels], float)
    largest = np.append(_REACH_STRIDES * strides[:-1], np.inf)
    least = np.append(0.0, largest[:-1])
    centres, stride = places.centres[None, :, None], places.strides[None, :, None]
    boxes = corners[:, None]
    reach = ops.concatenate(
        [_constant(centres, like) - boxes[..., :2], boxes[..., 2:] - _constant(centres, like)],
        axis=3,
    )
    inside = ops.min(reach, axis=3) > 0
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    off = ops.max(ops.abs(_constant(centres, like) - middle), axis=3)
    is_near = off < _constant(_CENTRE_STRIDES * stride, like)
    longest = ops.max(reach, axis=3)
    fits = ops.logical_and(
        longest > _constant(least[places.levels][None, :, None], like),
        longest <= _constant(np.minimum(largest, 1e30)[places.levels][None, :, None], like),
    )
    belongs = ops.logical_and(ops.logical_and(inside, is_near), fits)
    is_ignored = ops.logical_and(is_box, ops.logical_not(counts))
    in_ignored = ops.any(ops.logical_and(inside, is_ignored[:, None]), axis=2)
    return reach, ops.logical_and(belongs, counts[:, None]), in_ignored


def _decoded(y_pred: Any, layout: Layout, sides: tuple[int, int]) -> Any:
    """Return predicted boxes in pixels, (N, positions, 4), as `ddl.boxes.decoding` does."""
    places, numbers = positions_of(layout, sides), y_pred[:, :, :BOX_NUMBERS]
    stride = _constant(places.strides[:, None], y_pred)
    if layout.kind == "anchors":
        middle = _constant(places.corners, y_pred) + ops.sigmoid(numbers[:, :, :2]) * stride
        exponents = ops.minimum(numbers[:, :, 2:], LARGEST)
        half = _constant(places.anchors, y_pred) * ops.exp(exponents) / 2
        return ops.concatenate([middle - half, middle + half], axis=2)
    reach = ops.exp(ops.minimum(numbers, LARGEST)) * stride
    middle = _constant(places.centres, y_pred)
    return ops.concatenate([middle - reach[:, :, :2], middle + reach[:, :, 2:]], axis=2)


def _overlaps(boxes: Any, truths: Any) -> Any:
    """Return intersection over union of boxes (N, P, 4) with true ones (N, M, 4), (N, P, M)."""
    first, second = boxes[:, :, None], truths[:, None]
    common = _areas(_corners(first, second, ops.maximum, ops.minimum))
    return common / ops.maximum(_areas(first) + _areas(second) - common, _TINY)


def _generalized_overlap(boxes: Any, truths: Any) -> Any:
    """Return the generalized intersection over union of pairs of boxes, (N, P), from -1 to 1."""
    common = _areas(_corners(boxes, truths, ops.maximum, ops.minimum))
    around = _areas(_corners(boxes, truths, ops.minimum, ops.maximum))
    union = _areas(boxes) + _areas(truths) - common
    return common / ops.maximum(union, _TINY) - (around - union) / ops.maximum(around, _TINY)


def _corners(one: Any, other: Any, first: Any, last: Any) -> Any:
    """Return the boxes between the first and the last corners of both: what they share, or what is around them."""
    return ops.concatenate(
        [first(one[..., :2], other[..., :2]), last(one[..., 2:], other[..., 2:])], axis=-1
    )


def _areas(boxes: Any) -> Any:
    lengths = ops.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
    return lengths[..., 0] * lengths[..., 1]


def _class_entropy(rows: Any, predicted: Any) -> Any:
    """Return the binary cross-entropies of all classes of each box, (N, most)."""
    logits = predicted[:, :, FIRST_CLASS:]
    labels = ops.cast(ops.maximum(rows[:, :, CLASS], 0), "int32")
    truth = ops.one_hot(labels, logits.shape[-1], dtype=predicted.dtype)
    return ops.sum(_entropy(truth, logits), axis=2)


def _any_position(positions: Any, counts: Any, number: int) -> Any:
    """Return which of `number` positions some box is predicted by, (N, number)."""
    marked = ops.one_hot(ops.where(counts, positions, -1), number, dtype="float32")
    return ops.max(marked, axis=1) > 0


def _entropy(truth: Any, logits: Any) -> Any:
    """Return the binary cross-entropy of logits, exact also where they are large."""
    return ops.maximum(logits, 0.0) - logits * truth + ops.log1p(ops.exp(-ops.abs(logits)))


def _ratio(one: Any, other: Any) -> Any:
    return ops.minimum(one, other) / ops.maximum(one, other)


def _number(counted: Any, like: Any) -> Any:
    """Return how many count in each sample, at least 1."""
    return ops.maximum(ops.sum(ops.cast(counted, like.dtype), axis=1), 1.0)


def _size(sides: tuple[int, int], dtype: Any) -> Any:
    return ops.convert_to_tensor([sides[1], sides[0]] * 2, dtype=dtype)


def _constant(values: np.ndarray, like: Any) -> Any:
    return ops.convert_to_tensor(values, dtype=like.dtype)
