"""The losses of detectors: per sample, zero where all is right, against a plain computation in NumPy."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from ddl.boxes.decoding import decode, positions_of
from ddl.boxes.geometry import iou
from ddl.boxes.layout import FIRST_CLASS, OBJECT, Layout, Level
from ddl.boxes.rows import CLASS, CORNERS, IGNORED, empty_rows, padded_rows
from ddl.training.objectives.boxes.box_losses import fcos, yolo

SIDES = (32, 48)
SIZE = np.array([SIDES[1], SIDES[0]] * 2, float)
YOLO = Layout("anchors", 2, (Level(8, ((6.0, 6.0), (10.0, 8.0))), Level(16, ((20.0, 16.0),))))
POINTS = Layout("points", 2, (Level(8), Level(16)))
LOSSES = {"yolo": (yolo, YOLO), "fcos": (fcos, POINTS)}
ROWS = padded_rows(
    np.array(
        [
            [0, 0.10, 0.10, 0.26, 0.34, 0],
            [1, 0.50, 0.20, 0.95, 0.75, 0],
            [1, 0.05, 0.60, 0.20, 0.95, 1],
        ],
        np.float32,
    ),
    5,
)


def predictions(layout: Layout, samples: int, seed: int = 0) -> np.ndarray:
    count = layout.positions(SIDES)
    return np.random.default_rng(seed).normal(size=(samples, count, FIRST_CLASS + layout.classes))


def value(name: str, rows: np.ndarray, raw: np.ndarray, **options: Any) -> np.ndarray:
    loss, layout = LOSSES[name]
    return np.asarray(loss(rows, raw, layout=layout, sides=SIDES, **options))


@pytest.mark.parametrize("name", LOSSES)
def test_each_sample_has_its_own_loss(name: str) -> None:
    raw = predictions(LOSSES[name][1], 3)
    rows = np.stack([ROWS, empty_rows(5), ROWS[::-1]])
    together = value(name, rows, raw)
    alone = [value(name, rows[[n]], raw[[n]])[0] for n in range(3)]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_the_order_of_boxes_does_not_matter(name: str) -> None:
    raw = predictions(LOSSES[name][1], 1)
    orders = [list(order) for order in itertools.permutations(range(3))]
    values = [value(name, ROWS[[*order, 3, 4]][None], raw)[0] for order in orders]
    np.testing.assert_allclose(values, values[0], rtol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_a_picture_without_boxes_has_a_finite_loss(name: str) -> None:
    raw = 30 * predictions(LOSSES[name][1], 1)
    assert np.isfinite(value(name, empty_rows(5)[None], raw)).all()


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_is_wrong_in_a_box_to_ignore(name: str) -> None:
    layout = LOSSES[name][1]
    raw = predictions(layout, 1)
    raw[..., [OBJECT, *range(FIRST_CLASS, FIRST_CLASS + layout.classes)]] = -20
    box = np.array([[1, 0.0, 0.0, 1.0, 1.0, 1]], np.float32)
    where = positions_of(layout, SIDES).levels == 0
    shouting = raw.copy()
    shouting[:, where, OBJECT] = shouting[:, where, FIRST_CLASS] = 20
    if name == "yolo":  # which ignores positions by the boxes that they predict
        boxes, _ = decode(raw[0], layout, SIDES)
        box = np.concatenate([[[1]], boxes[[3]], [[1]]], axis=1).astype(np.float32)
        shouting = raw.copy()
        shouting[:, 3, OBJECT] = 20
    ignored = padded_rows(box, 2)[None]
    assert value(name, ignored, shouting)[0] == pytest.approx(
        value(name, ignored, raw)[0], abs=1e-6
    )
    assert value(name, empty_rows(2)[None], shouting)[0] > value(name, ignored, raw)[0] + 1


def entropy(truth: Any, logit: Any) -> Any:
    return np.logaddexp(0, logit) - truth * logit


def test_yolo_is_the_published_formula() -> None:
    raw = predictions(YOLO, 1)[0]
    places, expected, owned = positions_of(YOLO, SIDES), 0.0, set()
    boxes, _ = decode(raw, YOLO, SIDES)
    wanted = [row for row in ROWS if row[CLASS] >= 0 and not row[IGNORED]]
    for row in wanted:
        x0, y0, x1, y1 = row[CORNERS].astype(float) * SIZE
        width, height = x1 - x0, y1 - y0
        shapes = {
            tuple(anchor): min(width, anchor[0])
            * min(height, anchor[1])
            / (
                width * height
                + anchor[0] * anchor[1]
                - min(width, anchor[0]) * min(height, anchor[1])
            )
            for anchor in places.anchors
        }
        anchor = max(shapes, key=lambda one: shapes[one])
        centre = np.array([x0 + x1, y0 + y1]) / 2
        inside = (places.corners <= centre).all(1) & (
            centre < places.corners + places.strides[:, None]
        ).all(1)
        (own,) = np.flatnonzero(inside & (places.anchors == anchor).all(1))
        owned.add(own)
        share = (centre - places.corners[own]) / places.strides[own]
        scale = 2 - width * height / (SIDES[0] * SIDES[1])
        logs = np.log([width / anchor[0], height / anchor[1]])
        expected += scale * entropy(share, raw[own, :2]).sum()
        expected += scale * ((raw[own, 2:4] - logs) ** 2).sum() / 2
        expected += entropy(np.eye(2)[int(row[CLASS])], raw[own, FIRST_CLASS:]).sum()
        expected += entropy(1, raw[own, OBJECT])
    near = iou(boxes * SIZE, ROWS[ROWS[:, CLASS] >= 0][:, CORNERS] * SIZE).max(1) > 0.5
    for place in range(len(raw)):
        if place not in owned and not near[place]:
            expected += 0.5 * entropy(0, raw[place, OBJECT])
    assert value("yolo", ROWS[None], raw[None])[0] == pytest.approx(
        expected / len(wanted), rel=1e-6
    )


def test_fcos_is_the_published_formula() -> None:
    raw, places = predictions(POINTS, 1)[0], positions_of(POINTS, SIDES)
    boxes = decode(raw, POINTS, SIDES)[0] * SIZE
    wanted = [row for row in ROWS if row[CLASS] >= 0 and not row[IGNORED]]
    ignored = ROWS[2, CORNERS].astype(float) * SIZE
    expected, positives = 0.0, 0
    for place, centre in enumerate(places.centres):
        stride = places.strides[place]
        low, high = ((0, 64), (64, np.inf))[places.levels[place]]
        own = []
        for row in wanted:
            x0, y0, x1, y1 = row[CORNERS].astype(float) * SIZE
            reach = np.array([centre[0] - x0, centre[1] - y0, x1 - centre[0], y1 - centre[1]])
            off = np.abs(centre - np.array([x0 + x1, y0 + y1]) / 2).max()
            if reach.min() > 0 and off < 1.5 * stride and low < reach.max() <= high:
                own.append(((x1 - x0) * (y1 - y0), row, reach))
        truth = np.zeros(2)
        if own:
            _, row, reach = min(own, key=lambda one: one[0])
            positives += 1
            truth[int(row[CLASS])] = 1
            central = np.sqrt(
                min(reach[[0, 2]]) / max(reach[[0, 2]]) * min(reach[[1, 3]]) / max(reach[[1, 3]])
            )
            box, true = boxes[place], row[CORNERS].astype(float) * SIZE
            overlap = iou(box[None], true[None])[0, 0]
            around = np.prod(np.maximum(box[2:], true[2:]) - np.minimum(box[:2], true[:2]))
            both = np.prod(box[2:] - box[:2]) + np.prod(true[2:] - true[:2])
            union = both / (1 + overlap)
            expected += central * (1 - (overlap - (around - union) / around))
            expected += entropy(central, raw[place, OBJECT])
        elif (centre > ignored[:2]).all() and (centre < ignored[2:]).all():
            continue
        chance = 1 / (1 + np.exp(-raw[place, FIRST_CLASS:]))
        miss, weight = np.where(
            truth > 0, (1 - chance, 0.25 + 0 * chance), (chance, 0.75 + 0 * chance)
        )
        expected += (weight * miss**2 * entropy(truth, raw[place, FIRST_CLASS:])).sum()
    assert positives >= 2
    assert value("fcos", ROWS[None], raw[None])[0] == pytest.approx(expected / positives, rel=1e-6)
