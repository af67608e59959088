"""Results of the inference benchmark: figures for JSON, and a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ddl.export.speed.timing import Speed
from ddl.export.speed.variants import Variant


def figures(
    speeds: Mapping[str, Speed], variants: Mapping[str, Variant], bases: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Return the figures of every variant, as JSON values. Its speed is divided by that of its base in each round."""
    results: dict[str, dict[str, Any]] = {}
    for name, speed in speeds.items():
        parity = variants[name].parity
        results[name] = {
            "megabytes": variants[name].bytes / 1e6,
            "images_per_s": _spread(speed.rates),
            "latency_p50_ms": speed.latency_ms(50),
            "latency_p99_ms": speed.latency_ms(99),
            parity.score: parity.after,
            "largest_difference": parity.largest,
        }
        if name in bases:
            pairs = zip(speed.rates, speeds[bases[name]].rates, strict=True)
            results[name][f"times {bases[name]}"] = _spread([rate / base for rate, base in pairs])
    return results


def markdown(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a table with a row for each variant: medians, with minimum and maximum over all rounds in brackets."""
    score = "dice" if "dice" in next(iter(results.values())) else "accuracy"
    lines = [
        f"| | MB | images/s | p50 ms | p99 ms | {score} | largest difference | times |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in results.items():
        times = [f"{_shown(row[k])} {k.removeprefix('times ')}" for k in row if k[:6] == "times "]
        cells = [
            name,
            f"{row['megabytes']:.2f}",
            _shown(row["images_per_s"]),
            f"{row['latency_p50_ms']:.1f}",
            f"{row['latency_p99_ms']:.1f}",
            f"{row[score]:.4f}",
            f"{row['largest_difference']:.1e}",
            ", ".join(times),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": float(np.median(values)), "least": min(values), "most": max(values)}


def _shown(spread: Mapping[str, float]) -> str:
    return f"{spread['median']:.2f} ({spread['least']:.2f} to {spread['most']:.2f})"
