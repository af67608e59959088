"""The table of metrics: a name and its options -> a Keras metric. Listing and checking import no TensorFlow.

The state of each is sums and counts. `ddl.distributed` adds them over ranks, which gives the value of one process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ddl.builder_table import BuilderTable
from ddl.ranges import Range

if TYPE_CHECKING:
    import keras

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
        "confusion_matrix": "ddl.training.objectives.confusion:ConfusionMatrix",
    },
    fixed={"top_1": {"k": 1}, "top_5": {"k": 5}},
    hidden=("name",),
    ranges={"spacing": Range(0, above=True)},
)


def build_metric(name: str, **options: Any) -> keras.metrics.Metric:
    """Return the metric of this name, of truth and probabilities (N, ..., C).

    Args:
        name: one of `METRICS`.
        **options: those of `METRICS.options(name)`.
    """
    metric: keras.metrics.Metric = METRICS.build(name, name=name, **options)
    return metric
