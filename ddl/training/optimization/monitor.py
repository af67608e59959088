"""Whether a monitored value should decrease or increase."""

from __future__ import annotations

from ddl.ranges import check_choice

MODES = ("auto", "min", "max")
_MORE_IS_BETTER = ("dice", "iou", "precision", "recall", "top_", "accuracy")


def better_is(monitor: str, mode: str = "auto") -> str:
    """Return "max" if a higher value of this name (such as "val_dice") is better, else "min"."""
    check_choice("mode", mode, MODES)
    if mode != "auto":
        return mode
    if monitor.endswith("loss"):
        return "min"
    return "max" if any(part in monitor for part in _MORE_IS_BETTER) else "min"
