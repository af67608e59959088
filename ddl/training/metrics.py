"""The one table of metrics: a name and its options -> a Keras metric. Listing and checking load no framework.

Every state is sums and counts, so that `ddl.distributed` adds them over ranks and gets what one process would print.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ddl import options as opts

if TYPE_CHECKING:
    import keras

METRICS: dict[str, tuple[str, dict[str, Any]]] = {
    "dice": ("ddl.training.dice:Dice", {}),
    "iou": ("ddl.training.dice:IoU", {}),
    "precision": ("ddl.training.confusion:Precision", {}),
    "recall": ("ddl.training.confusion:Recall", {}),
    "hausdorff_95": ("ddl.training.hausdorff:Hausdorff95", {}),
    "top_1": ("ddl.training.confusion:TopK", {"k": 1}),
    "top_5": ("ddl.training.confusion:TopK", {"k": 5}),
    "confusion_matrix": ("ddl.training.confusion:ConfusionMatrix", {}),
}
"""Name -> class, and the options which the name has decided."""


def build_metric(name: str, **options: Any) -> keras.metrics.Metric:
    """Return the metric of this name, of truth and probabilities (N, ..., C).

    Args:
        name: one of `METRICS`.
        **options: those of `metric_options(name)`.
    """
    opts.check_names(options, metric_options(name), f"metric {name}")
    builder, decided = METRICS[name]
    metric: keras.metrics.Metric = opts.load(builder)(name=name, **decided, **options)
    return metric


def metric_options(name: str) -> dict[str, opts.Option]:
    """Return the options of a metric: name -> type, default and help."""
    if name not in METRICS:
        known = ", ".join(METRICS)
        raise ValueError(f"Unknown metric. Received: {name!r}. Expected one of: {known}.")
    builder, decided = METRICS[name]
    options = opts.read_options(builder)
    return {key: options[key] for key in options if key not in decided}


def parse_metric_options(name: str, texts: Iterable[str]) -> dict[str, Any]:
    """Return the options that texts such as "spacing=1,0.5" give a metric, as `build_metric` takes them."""
    return opts.parse_options(texts, metric_options(name), f"metric {name}")
