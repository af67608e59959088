"""How far an exported model is from the one it was made of: differences of probabilities, and Dice or accuracy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ddl.export.reference_pictures import Sample
from ddl.inference.backends.predictor import Predictor


@dataclass(frozen=True)
class Parity:
    """What a comparison found.

    Attributes:
        samples: that were compared.
        largest: difference of any two probabilities.
        mean: difference of probabilities.
        score: "dice" or "accuracy".
        of: "the truth", or "Keras" where nothing tells the truth; the original then scores 1.
        before: score of the original.
        after: score of the export.
        agreement: score of the export where Keras's own masks or labels stand for the truth.
    """

    samples: int
    largest: float
    mean: float
    score: str
    of: str
    before: float
    after: float
    agreement: float

    @property
    def change(self) -> float:
        """What the export scores more."""
        return self.after - self.before

    def deviation(self, precision: str) -> float:
        """Return what the tolerance of this precision is about."""
        return -self.change if precision == "int8" else self.largest

    def line(self) -> str:
        """Return all figures in one line."""
        return (
            f"largest difference {self.largest:.2e}, mean {self.mean:.2e}, {self.score} {self.before:.4f} -> "
            f"{self.after:.4f} ({self.change:+.4f}) of {self.samples} samples against {self.of}"
            + (f", {self.agreement:.4f} against Keras" if self.of != "Keras" else "")
        )

    def table(self, bytes_before: int, bytes_after: int) -> str:
        """Return a table for people."""
        before, after = (size / 1e6 for size in (bytes_before, bytes_after))
        lines = [
            f"{'':24}{'Keras':>10}{'export':>10}{'change':>10}",
            f"{self.score + ' against ' + self.of:24}{self.before:10.4f}{self.after:10.4f}{self.change:+10.4f}",
            f"{'size in MB':24}{before:10.2f}{after:10.2f}{after - before:+10.2f}",
            f"{'largest difference':24}{self.largest:30.2e}",
            f"{'mean difference':24}{self.mean:30.2e}",
            f"{'samples':24}{self.samples:30d}",
        ]
        if self.of != "Keras":
            own = f"{self.score} against Keras"
            lines.insert(2, f"{own:24}{1:10.4f}{self.agreement:10.4f}{self.agreement - 1:+10.4f}")
        return "\n".join(lines)


def compare(
    samples: Iterable[Sample], original: Predictor, exported: Predictor, target: str
) -> Parity:
    """Return what two models make of the same samples, one after another.

    Args:
        samples: both are shown.
        original: the model as Keras computes it.
        exported: the other one.
        target: "mask" or "label".
    """
    from ddl.training.objectives.metrics import build_metric

    scores = [build_metric("dice" if target == "mask" else "top_1") for _ in range(3)]
    largest = total = 0.0
    values = count = 0
    has_truth = True
    for sample in samples:
        first, second = (_predicted(one, sample) for one in (original, exported))
        difference = np.abs(first - second)
        largest = max(largest, float(difference.max()))
        total, values = total + float(difference.sum(dtype=np.float64)), values + difference.size
        has_truth = sample.truth is not None
        by_keras = _decided(first)
        truth = by_keras if sample.truth is None else np.asarray(sample.truth)
        compared = ((truth, first), (truth, second), (by_keras, second))
        for score, (expected, found) in zip(scores, compared, strict=True):
            score.update_state(expected[None], found[None])
        count += 1
    before, after, agreement = (float(score.result()) for score in scores)
    return Parity(
        samples=count,
        largest=largest,
        mean=total / max(values, 1),
        score="dice" if target == "mask" else "accuracy",
        of="the truth" if has_truth else "Keras",
        before=before,
        after=after,
        agreement=agreement,
    )


def _predicted(predictor: Predictor, sample: Sample) -> np.ndarray:
    found: np.ndarray = predictor.predict(sample.shown[None])[0][sample.inside]
    # A network that computes nonsense must not pass because nothing is larger than no number.
    return np.nan_to_num(found, nan=np.inf) if np.isnan(found).any() else found


def _decided(found: np.ndarray) -> np.ndarray:
    """Return the mask or class that probabilities (..., classes) stand for."""
    if found.shape[-1] == 1:
        return (found > 0.5).astype(np.float32)
    return np.asarray(found.argmax(axis=-1), np.int32)
