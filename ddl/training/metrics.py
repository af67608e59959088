"""The one table of metrics: a name and its options -> a Keras metric. Listing and checking load no framework.

Every state is sums and counts, so that `ddl.distributed` adds them over ranks and gets what one process would print.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ddl import options as opts
from ddl.ranges import Range

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

_SIZE = Range(0, above=True)


def build_metric(name: str, **options: Any) -> keras.metrics.Metric:
    """Return the metric of this name, of truth and probabilities (N, ..., C).

    Args:
        name: one of `METRICS`.
        **options: those of `metric_options(name)`.
    """
    options = check_metric(name, **options)
    builder, decided = METRICS[name]
    metric: keras.metrics.Metric = opts.load(builder)(name=name, **decided, **options)
    return metric


def check_metric(name: str, /, **options: Any) -> dict[str, Any]:
    """Return the options, each of its type; refuse an unknown name or option, and a value that cannot be right."""
    values = opts.convert_values(options, metric_options(name), f"metric {name}")
    spacing = values.get("spacing", (1.0,))
    if not (spacing and all(size in _SIZE for size in spacing)):
        raise ValueError(
            f"Received: spacing={spacing} for metric {name}. Expected: finite numbers above 0."
        )
    return values


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
    return check_metric(name, **opts.parse_options(texts, metric_options(name), f"metric {name}"))
