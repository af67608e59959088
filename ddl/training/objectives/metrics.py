"""The table of metrics: a name and its options -> a Keras metric. Listing and checking import no TensorFlow.

The state of each metric is sums and counts. `ddl.distributed` adds them over ranks, so that N ranks report the value
that one process would.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ddl.builder_table import BuilderTable
from ddl.ranges import Range

if TYPE_CHECKING:
    import keras

WHOLE_METRICS = ("ap", "ap50", "ap75")
"""Average precisions of boxes: no means over samples, but of all validation samples together."""

METRICS = BuilderTable(
    "metric",
    {
        "dice": "ddl.training.objectives.overlap:Dice",
        "iou": "ddl.training.objectives.overlap:IoU",
        "precision": "ddl.training.objectives.confusion:Precision",
        "recall": "ddl.training.objectives.confusion:Recall",
        "hausdorff_95": "ddl.training.objectives.hausdorff:Hausdorff95",
        "top_1": "ddl.training.objectives.confusion:TopK",
        "top_5": "ddl.training.objectives.confusion:TopK",
        "mae": "ddl.training.objectives.value_metrics:MeanError",
        "mse": "ddl.training.objectives.value_metrics:MeanError",
        "confusion_matrix": "ddl.training.objectives.confusion:ConfusionMatrix",
        **dict.fromkeys(WHOLE_METRICS, "ddl.training.objectives.boxes.box_scores:BoxScores"),
    },
    fixed={"top_1": {"k": 1}, "top_5": {"k": 5}, "mae": {"power": 1}, "mse": {"power": 2}},
    hidden=("name", "layout", "keeps"),
    ranges={
        "spacing": Range(0, above=True),
        "least_score": Range(0, 1),
        "most_overlap": Range(0, 1),
    },
)


def check_metric_names(names: Sequence[str]) -> None:
    """Refuse unknown metrics, and metrics given twice."""
    for name in names:
        METRICS.check(name)
        if names.count(name) > 1:
            raise ValueError(f"Received: metric {name!r} twice. Expected: once.")


def build_metric(name: str, activation: str = "none", **options: Any) -> keras.metrics.Metric:
    """Return one of `METRICS` with options from `METRICS.options(name)`, for targets and probabilities (N, ..., C).

        model.compile("adam", loss, metrics=[build_metric("dice"), build_metric("hausdorff_95", spacing=(1.0, 0.5))])

    With an `activation`, one of `ddl.data.preprocessing.ACTIVATIONS`, it takes what becomes probabilities by it.
    """
    metric: keras.metrics.Metric = METRICS.build(name, name=name, **options)
    if activation == "none":
        return metric
    from ddl.training.objectives.predictions import of_probabilities

    return of_probabilities(metric, activation)
