"""What a benchmark of inference found: as figures for programs, and as a Markdown table for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ddl.export.parity import Parity
from ddl.export.speed.timing import Speed, ratios


def figures(
    speeds: Mapping[str, Speed],
    parities: Mapping[str, Parity],
    sizes: Mapping[str, int],
    bases: Mapping[str, str],
) -> dict[str, dict[str, Any]]:
    """Return the figures of every way, as JSON values.

    Args:
        speeds: of each way.
        parities: of each with Keras.
        sizes: of each, in bytes.
        bases: way -> the way whose speed it is measured by.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, speed in speeds.items():
        parity = parities[name]
        found[name] = {
            "megabytes": sizes[name] / 1e6,
            "images_per_s": _spread(speed.rates),
            "latency_p50_ms": speed.latency_ms(50),
            "latency_p99_ms": speed.latency_ms(99),
            parity.score: parity.after,
            "largest_difference": parity.largest,
        }
        if name in bases:
            found[name][f"times {bases[name]}"] = _spread(ratios(speeds, name, bases[name]))
    return found


def markdown(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a table with a row for each way: medians, and in brackets the least and most of all rounds."""
    score = "dice" if "dice" in next(iter(found.values())) else "accuracy"
    lines = [
        f"| | MB | images/s | p50 ms | p99 ms | {score} | largest difference | times |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in found.items():
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
