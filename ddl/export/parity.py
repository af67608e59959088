"""Compare an exported model with its Keras original: differences of probabilities, and Dice, accuracy or AP50."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ddl.export.box_parity import BoxScore, rows_of
from ddl.export.reference_pictures import Sample
from ddl.inference.backends.predictor import Predictor

_NAMES = {"mask": "dice", "label": "accuracy", "boxes": "ap50"}
"""What a model predicts -> the name of its score."""


@dataclass(frozen=True)
class Parity:
    """Result of a comparison.

    Attributes:
        samples: number of samples compared.
        largest: largest absolute difference of probabilities.
        mean: mean absolute difference of probabilities.
        score: "dice", "accuracy" or "ap50".
        reference: what the scores are measured against: "ground truth", or "Keras" for samples without masks or labels
            (the original then scores 1).
        before: score of the original.
        after: score of the export.
        agreement: score of the export against the masks or labels that Keras predicts.
    """

    samples: int
    largest: float
    mean: float
    score: str
    reference: str
    before: float
    after: float
    agreement: float

    @property
    def change(self) -> float:
        """Score of the export minus score of the original."""
        return self.after - self.before

    def deviation(self, precision: str) -> float:
        """Return the value to compare with the tolerance of this precision."""
        return -self.change if precision == "int8" else self.largest

    def line(self) -> str:
        """Return all figures in one line."""
        return (
            f"largest difference {self.largest:.2e}, mean {self.mean:.2e}, {self.score} {self.before:.4f} -> "
            f"{self.after:.4f} ({self.change:+.4f}) of {self.samples} samples against {self.reference}"
            + (f", {self.agreement:.4f} against Keras" if self.reference != "Keras" else "")
        )

    def table(self, bytes_before: int, bytes_after: int) -> str:
        """Return a table for people."""
        before, after = (size / 1e6 for size in (bytes_before, bytes_after))
        lines = [
            f"{'':24}{'Keras':>10}{'export':>10}{'change':>10}",
            f"{self.score + ' against ' + self.reference:24}{self.before:10.4f}{self.after:10.4f}{self.change:+10.4f}",
            f"{'size in MB':24}{before:10.2f}{after:10.2f}{after - before:+10.2f}",
            f"{'largest difference':24}{self.largest:30.2e}",
            f"{'mean difference':24}{self.mean:30.2e}",
            f"{'samples':24}{self.samples:30d}",
        ]
        if self.reference != "Keras":
            own = f"{self.score} against Keras"
            lines.insert(2, f"{own:24}{1:10.4f}{self.agreement:10.4f}{self.agreement - 1:+10.4f}")
        return "\n".join(lines)


def compare(
    samples: Iterable[Sample], original: Predictor, exported: Predictor, target: str
) -> Parity:
    """Predict the same samples with the Keras model and its export, and compare the results.

    `target` is "mask", "label" or "boxes"; predictors of boxes give them as `ddl.export.box_parity.Decoded` does.
    """
    scores = _scores(target, None, original.classes)
    largest = total = 0.0
    values = count = 0
    has_truth = True
    for sample in samples:
        if not count:
            scores = _scores(target, sample.ignore_index, original.classes)
        first, second = (_predict(predictor, sample) for predictor in (original, exported))
        difference = np.abs(first - second)
        largest = max(largest, float(difference.max()))
        total, values = total + float(difference.sum(dtype=np.float64)), values + difference.size
        has_truth = sample.truth is not None
        by_keras = rows_of(first) if target == "boxes" else _class_of(first)
        truth = by_keras if sample.truth is None else np.asarray(sample.truth)
        compared = ((truth, first), (truth, second), (by_keras, second))
        for score, (expected, predicted) in zip(scores, compared, strict=True):
            score.update_state(expected[None], predicted[None])
        count += 1
    before, after, agreement = (float(score.result()) for score in scores)
    return Parity(
        samples=count,
        largest=largest,
        mean=total / max(values, 1),
        score=_NAMES[target],
        reference="ground truth" if has_truth else "Keras",
        before=before,
        after=after,
        agreement=agreement,
    )


def _scores(target: str, ignore_index: int | None, classes: int) -> list[Any]:
    """Return the metrics of original and export against the ground truth, and of the export against Keras."""
    if target == "boxes":
        return [BoxScore(classes) for _ in range(3)]
    from ddl.training.objectives.metrics import build_metric

    name = "dice" if target == "mask" else "top_1"
    return [
        build_metric(name, ignore_index=number) for number in (ignore_index, ignore_index, None)
    ]


def _predict(predictor: Predictor, sample: Sample) -> np.ndarray:
    probabilities = predictor.predict(sample.picture[None])[0][sample.inside]
    # max() and comparisons ignore NaN, so an export that returns NaN would pass: make it infinitely far away.
    return np.where(np.isnan(probabilities), np.float32(np.inf), probabilities)


def _class_of(probabilities: np.ndarray) -> np.ndarray:
    """Return the mask or class of probabilities (..., classes)."""
    if probabilities.shape[-1] == 1:
        return (probabilities > 0.5).astype(np.float32)
    return np.asarray(probabilities.argmax(axis=-1), np.int32)
