"""Average precision as COCO defines it, in NumPy alone; equal to pycocotools' to rounding.

    score = AveragePrecision(classes=3)
    score.add(found, rows, sides=(480, 640))  # for each picture
    score.result().ap50

Recall is sampled at 101 points, precision is made monotone, and a class without true boxes does not count. Crowds and
difficult boxes (`IGNORED`), and with a range of areas all boxes outside it, are neither right nor wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ddl.boxes.found import Found
from ddl.boxes.geometry import areas, shared_areas
from ddl.boxes.rows import CLASS, CORNERS, IGNORED, boxes_in

OVERLAPS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
AREAS = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
"""Name -> least and largest area in pixels of the picture."""
_MOST = 100


@dataclass(frozen=True)
class Precision:
    """Average precisions; NaN where there is no true box.

    Attributes:
        ap: mean over overlaps of 0.50 to 0.95.
        ap50: at an overlap of 0.50.
        ap75: at an overlap of 0.75.
        ap_by_area: "small", "medium", "large" -> mean over overlaps.
        recall: largest recall with 100 boxes a picture, mean over overlaps and classes.
        ap_by_class: (classes,) mean over overlaps.
        ap50_by_class: (classes,) at an overlap of 0.50.
        boxes_by_class: (classes,) number of true boxes that count.
    """

    ap: float
    ap50: float
    ap75: float
    ap_by_area: dict[str, float]
    recall: float
    ap_by_class: np.ndarray
    ap50_by_class: np.ndarray
    boxes_by_class: np.ndarray


@dataclass
class _Matches:
    """What was found of one class and range of areas, picture by picture."""

    scores: list[np.ndarray] = field(default_factory=list)
    is_right: list[np.ndarray] = field(default_factory=list)  # (overlaps, found)
    is_ignored: list[np.ndarray] = field(default_factory=list)  # (overlaps, found)
    truths: int = 0


class AveragePrecision:
    """Collects the boxes of pictures. Their order decides between equal scores, as in pycocotools."""

    def __init__(self, classes: int) -> None:
        self._matches = [{name: _Matches() for name in AREAS} for _ in range(classes)]

    def add(self, found: Found, rows: np.ndarray, sides: tuple[float, float]) -> None:
        """Add a picture.

        Args:
            found: what was found, best first.
            rows: its true boxes, (n, 6); rows without a box are skipped.
            sides: its height and width in pixels of the stored picture, for ranges of areas.
        """
        size, truths = np.array([sides[1], sides[0]] * 2, float), boxes_in(rows)
        labels = truths[:, CLASS].astype(int)
        for label in np.union1d(labels, found.classes).tolist():
            mine = np.flatnonzero(found.classes == label)[:_MOST]
            own = truths[labels == label]
            self._compare(
                self._matches[label],
                found.boxes[mine] * size,
                found.scores[mine],
                own[:, CORNERS].astype(np.float64) * size,
                own[:, IGNORED] > 0,
            )

    def result(self) -> Precision:
        """Return the precisions of all pictures so far."""
        curves = [{name: _curve(matches) for name, matches in own.items()} for own in self._matches]
        by_area = {
            name: np.array([own[name][0] for own in curves]).reshape(-1, len(OVERLAPS))
            for name in AREAS
        }
        recalls = np.array([own["all"][1] for own in curves]).reshape(-1, len(OVERLAPS))
        every = by_area["all"]
        return Precision(
            ap=_mean(every),
            ap50=_mean(every[:, 0]),
            ap75=_mean(every[:, 5]),
            ap_by_area={name: _mean(values) for name, values in by_area.items() if name != "all"},
            recall=_mean(recalls),
            ap_by_class=every.mean(axis=1),
            ap50_by_class=every[:, 0],
            boxes_by_class=np.array([own["all"].truths for own in self._matches]),
        )

    def _compare(
        self,
        matches: dict[str, _Matches],
        boxes: np.ndarray,
        scores: np.ndarray,
        truths: np.ndarray,
        is_crowd: np.ndarray,
    ) -> None:
        """Match the boxes of one class in one picture, in pixels."""
        common = shared_areas(boxes, truths)
        own, others = areas(boxes), areas(truths)
        # A crowd covers many objects: what counts is how much of the box is in it.
        union = np.where(is_crowd, own[:, None], own[:, None] + others - common)
        overlaps = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
        for name, (least, largest) in AREAS.items():
            outside = (others < least) | (others > largest)
            ignored = is_crowd | outside
            order = np.argsort(ignored, kind="stable")
            right, left_out = _match(overlaps[:, order], ignored[order], is_crowd[order])
            left_out |= ~right & ((own < least) | (own > largest))
            kept = matches[name]
            kept.scores.append(scores)
            kept.is_right.append(right & ~left_out)
            kept.is_ignored.append(left_out)
            kept.truths += int((~ignored).sum())


def _match(
    overlaps: np.ndarray, ignored: np.ndarray, is_crowd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each box has a true one, and whether that is ignored, (thresholds, boxes).

    Each box takes, best first, the true box that it overlaps most, of those that are not taken; ignored ones, which
    stand last, only where no other is left. Of equal overlaps the last one counts.
    """
    count, truths = overlaps.shape
    right = np.zeros((len(OVERLAPS), count), bool)
    left_out = np.zeros_like(right)
    for number, least in enumerate(np.minimum(OVERLAPS, 1 - 1e-10)):
        taken = np.zeros(truths, bool)
        for box in range(count):
            free = (overlaps[box] >= least) & (~taken | is_crowd)
            for group in (free & ~ignored, free & ignored):
                candidates = np.flatnonzero(group)
                if len(candidates):
                    values = overlaps[box, candidates]
                    best = candidates[len(values) - 1 - int(np.argmax(values[::-1]))]
                    taken[best] = right[number, box] = True
                    left_out[number, box] = ignored[best]
                    break
    return right, left_out


def _curve(matches: _Matches) -> tuple[np.ndarray, np.ndarray]:
    """Return average precision and recall at each overlap, NaN without true boxes."""
    nothing = np.full(len(OVERLAPS), np.nan)
    if not matches.truths:
        return nothing, nothing
    scores = np.concatenate(matches.scores)
    order = np.argsort(-scores, kind="stable")
    right = np.concatenate(matches.is_right, axis=1)[:, order]
    counts = ~np.concatenate(matches.is_ignored, axis=1)[:, order]
    precisions, recalls = np.zeros(len(OVERLAPS)), np.zeros(len(OVERLAPS))
    for number in range(len(OVERLAPS)):
        rights = np.cumsum(right[number] & counts[number])
        wrongs = np.cumsum(~right[number] & counts[number])
        if not len(rights):
            continue
        recall = rights / matches.truths
        precision = rights / np.maximum(rights + wrongs, np.spacing(1))
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        places = np.searchsorted(recall, RECALLS, side="left")
        reached = places < len(precision)
        precisions[number] = np.where(
            reached, precision[np.minimum(places, len(precision) - 1)], 0
        ).mean()
        recalls[number] = recall[-1]
    return precisions, recalls


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
