"""Our average precision is that of pycocotools, on made cases of all kinds."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.boxes.average_precision import AveragePrecision, Precision
from ddl.boxes.found import Found
from ddl.boxes.rows import CLASS, CORNERS, IGNORED, padded_rows

CLASSES = 3
SIDES = (120, 200)
SIZE = np.array([SIDES[1], SIDES[0]] * 2, float)


def of_pycocotools(pictures: list[tuple[Found, np.ndarray]]) -> Precision:
    """Return what pycocotools computes."""
    coco_module = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    images = [{"id": n, "width": SIDES[1], "height": SIDES[0]} for n in range(len(pictures))]
    truths, results = [], []
    for number, (found, rows) in enumerate(pictures):
        for row in rows[rows[:, CLASS] >= 0].astype(np.float64):
            left, top, right, bottom = row[CORNERS] * SIZE
            truths.append(
                {
                    "id": len(truths) + 1,
                    "image_id": number,
                    "category_id": int(row[CLASS]),
                    "bbox": [left, top, right - left, bottom - top],
                    "area": (right - left) * (bottom - top),
                    "iscrowd": int(row[IGNORED]),
                }
            )
        for box, label, score in zip(found.boxes, found.classes, found.scores, strict=True):
            left, top, right, bottom = box * SIZE
            results.append(
                {
                    "image_id": number,
                    "category_id": int(label),
                    "bbox": [left, top, right - left, bottom - top],
                    "score": float(score),
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        known = coco_module.COCO()
        known.dataset = {
            "images": images,
            "annotations": truths,
            "categories": [{"id": label, "name": str(label)} for label in range(CLASSES)],
        }
        known.createIndex()
        run = evaluation.COCOeval(known, known.loadRes(results), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    by_class = run.eval["precision"][:, :, :, 0, 2].mean(axis=1)  # (overlaps, classes)
    by_class = np.where(by_class < 0, np.nan, by_class)
    values = [float("nan") if value < 0 else float(value) for value in run.stats]
    return Precision(
        *values[:3],
        dict(zip(("small", "medium", "large"), values[3:6], strict=True)),
        values[8],
        by_class.mean(axis=0),
        by_class[0],
        np.zeros(CLASSES),
    )


def of_ours(pictures: list[tuple[Found, np.ndarray]]) -> Precision:
    """Return what we compute."""
    score = AveragePrecision(CLASSES)
    for found, rows in pictures:
        score.add(found, rows, SIDES)
    return score.result()


def made(seed: int, pictures: int, *, crowds: bool) -> list[tuple[Found, np.ndarray]]:
    """Return pictures whose found boxes are true ones, moved, doubled, of another class, or inventions."""
    rng = np.random.default_rng(seed)
    result = []
    for _ in range(pictures):
        count = int(rng.integers(0, 9))
        sides = rng.choice([0.05, 0.15, 0.5], (count, 1)) * rng.uniform(0.5, 1, (count, 2))
        corners = rng.uniform(0, 1, (count, 2)) * (1 - sides)
        boxes = np.concatenate([corners, corners + sides], axis=1)
        labels = rng.integers(0, CLASSES, (count, 1))
        ignored = rng.random((count, 1)) < 0.2 * crowds
        rows = np.concatenate([labels, boxes, ignored], axis=1).astype(np.float32)
        chosen = rng.integers(0, max(count, 1), int(rng.integers(1, 14)) if count else 0)
        moved = rows[chosen, CORNERS].astype(np.float64)
        moved += rng.normal(0, 0.1, moved.shape) * np.tile(moved[:, 2:] - moved[:, :2], 2)
        wild = np.sort(rng.uniform(0, 1, (3, 2, 2)), axis=1).reshape(3, 4)
        found = np.concatenate([moved, wild])
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1e-3)
        classes = np.concatenate([rows[chosen, CLASS], rng.integers(0, CLASSES, 3)]).astype(int)
        scores = np.round(rng.uniform(0, 1, len(found)), 1)  # many are equal
        order = np.argsort(-scores, kind="stable")
        result.append((Found(found[order], classes[order], scores[order]), padded_rows(rows, 12)))
    return result


def assert_equal(ours: Precision, theirs: Precision) -> None:
    """Compare all numbers to 1e-6; NaN is NaN."""
    for name in ("ap", "ap50", "ap75", "recall", "ap_by_class", "ap50_by_class"):
        np.testing.assert_allclose(
            getattr(ours, name), getattr(theirs, name), atol=1e-6, err_msg=name
        )
    for name, value in theirs.ap_by_area.items():
        np.testing.assert_allclose(ours.ap_by_area[name], value, atol=1e-6, err_msg=name)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 12), st.booleans())
def test_all_figures_are_those_of_pycocotools(seed, count, crowds):
    pictures = made(seed, count, crowds=crowds)
    assert_equal(of_ours(pictures), of_pycocotools(pictures))


def test_what_is_right_has_precision_1():
    rows = np.array([[0, 0.1, 0.1, 0.3, 0.3, 0], [2, 0.5, 0.5, 0.9, 0.9, 0]], np.float32)
    found = Found(rows[:, CORNERS].astype(float), np.array([0, 2]), np.array([0.9, 0.8]))
    result = of_ours([(found, rows)])
    assert (result.ap, result.recall) == (1, 1)
    assert result.boxes_by_class.tolist() == [1, 0, 1]
    assert np.isnan(result.ap_by_class[1])


def test_without_true_boxes_there_is_no_precision():
    nothing = Found(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0))
    assert np.isnan(of_ours([(nothing, padded_rows(np.zeros((0, 6), np.float32), 3))]).ap)
