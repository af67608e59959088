"""Compares the boxes of an exported detector with those of its Keras original."""

from __future__ import annotations

import numpy as np

from ddl.boxes.average_precision import AveragePrecision
from ddl.boxes.decoding import decode
from ddl.boxes.found import Found
from ddl.boxes.layout import Layout
from ddl.boxes.rows import CORNERS
from ddl.boxes.suppression import suppress
from ddl.inference.backends.predictor import Predictor

LEAST_SCORE = 0.05
SHOWN_SCORE = 0.3
"""Boxes of the original with at least this score are what an export has to find."""
_CORNERS = 4


class Decoded:
    """A detector that gives boxes and scores, (N, positions, 4 + classes), in place of raw numbers.

    Differences are then parts of a picture's sides, and of probabilities.
    """

    def __init__(self, predictor: Predictor, layout: Layout) -> None:
        """Wrap a predictor; closing this one closes it too."""
        self._predictor, self._layout = predictor, layout
        self.input_shape, self.classes = predictor.input_shape, layout.classes

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """Predict pictures (N, H, W, C), float32 from 0 to 1. Boxes are cut at the picture's edge."""
        sides = (batch.shape[1], batch.shape[2])
        decoded = [decode(raw, self._layout, sides) for raw in self._predictor.predict(batch)]
        rows = [np.concatenate([np.clip(boxes, 0, 1), scores], 1) for boxes, scores in decoded]
        return np.stack(rows).astype(np.float32)

    def close(self) -> None:
        """Close the predictor."""
        self._predictor.close()


class BoxScore:
    """The AP50 of decoded predictions against rows of true boxes, as a metric."""

    def __init__(self, classes: int) -> None:
        self._collected = AveragePrecision(classes)

    def update_state(self, rows: np.ndarray, predicted: np.ndarray) -> None:
        """Add samples: rows of true boxes (N, most, 6), and decoded predictions (N, positions, 4 + classes)."""
        for own, one in zip(rows, predicted, strict=True):
            self._collected.add(found_in(one, LEAST_SCORE), own, (1.0, 1.0))

    def result(self) -> float:
        """Return the AP50; 1 where there is no true box."""
        ap50 = self._collected.result().ap50
        return 1.0 if np.isnan(ap50) else ap50


def found_in(predicted: np.ndarray, least_score: float) -> Found:
    """Return the boxes of a decoded prediction; infinite numbers of a broken export are no boxes."""
    finite = np.where(np.isfinite(predicted), predicted, 0)
    return suppress(finite[:, :_CORNERS], finite[:, _CORNERS:], least_score=least_score)


def rows_of(predicted: np.ndarray) -> np.ndarray:
    """Return what a decoded prediction shows as rows of boxes, as if they were true."""
    found = found_in(predicted, SHOWN_SCORE)
    rows = np.zeros((len(found), 6), np.float32)
    rows[:, 0], rows[:, CORNERS] = found.classes, found.boxes
    return rows
