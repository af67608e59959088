"""Average precision of a whole validation, from the raw predictions of all its samples, on rank 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ddl.boxes.average_precision import AveragePrecision, Precision
from ddl.boxes.decoding import decode
from ddl.boxes.found import Found
from ddl.boxes.layout import Layout
from ddl.boxes.suppression import suppress
from ddl.data.source import Source
from ddl.data.sources.boxed_pictures.picture_facts import stored_sides
from ddl.training.objectives.metrics import WHOLE_METRICS
from ddl.training.plan.plan import Plan


class BoxScores:
    """Takes the predictions of all samples in order, as the writers of files do.

    Attributes:
        values: "ap", "ap50" and "ap75", after `finish`; 0 where there is no true box.
        precision: all figures, after `finish`.
        found: what was found in each sample, if it is kept.
    """

    path = Path()
    problem = ""

    def __init__(
        self,
        samples: Source,
        *,
        layout: Layout,
        least_score: float = 0.01,
        most_overlap: float = 0.5,
        keeps: bool = False,
    ) -> None:
        """Begin with the samples, whose second field has their true boxes.

        Args:
            samples: pictures and boxes.
            layout: that of the detector.
            least_score: found boxes with a lower score are left out.
            most_overlap: of found boxes of a class whose intersection over union is larger, the best stays.
            keeps: whether `found` is filled.
        """
        self._samples, self._layout = samples, layout
        self._least_score, self._most_overlap = least_score, most_overlap
        self._collected = AveragePrecision(layout.classes)
        self._keeps = keeps
        self.found: list[Found] = []
        self.values: dict[str, float] = {}
        self.precision: Precision | None = None

    def write(self, parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
        """Take the raw predictions of the next samples."""
        image = next(iter(self._samples.fields.values()))
        sides = (image.shape[0], image.shape[1])
        for indices, predictions in parts:
            rows = self._samples.read(indices)["boxes"]
            for index, raw, own in zip(indices, predictions, rows, strict=True):
                boxes, scores = decode(raw, self._layout, sides)
                found = suppress(
                    boxes, scores, least_score=self._least_score, most_overlap=self._most_overlap
                )
                self._collected.add(found, own, stored_sides(self._samples, int(index)))
                if self._keeps:
                    self.found.append(found)

    def finish(self) -> None:
        """Compute the figures."""
        self.precision = self._collected.result()
        numbers = {name: float(getattr(self.precision, name)) for name in WHOLE_METRICS}
        self.values = {
            name: 0.0 if math.isnan(number) else number for name, number in numbers.items()
        }

    def __enter__(self) -> BoxScores:
        return self

    def __exit__(self, *error: Any) -> None:
        return None


def box_scores(plan: Plan, samples: Source, layout: Layout) -> BoxScores:
    """Return what computes a plan's average precisions, with the options of the first of them that has some."""
    given = [plan.metric_option[name] for name in plan.metric if plan.metric_option.get(name)]
    return BoxScores(samples, layout=layout, **(given[0] if given else {}))
