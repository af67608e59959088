"""Settings of scripts/predict.py for a generator, which takes no pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.options import convert_fields
from ddl.ranges import Range, check_ranges

MOST_IN_A_GRID = 400
_RANGES = {
    "samples": Range(1, 10_000_000),
    "seed": Range(0, 2**63 - 1),
    "label": Range(0),
    "columns": Range(1, 100),
}


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Samples of a generator.

    Attributes:
        samples: how many pictures a generator makes, in place of INPUT: OUTPUT/sample_00000.png and so on.
        seed: seed of the latent vectors; the first samples of a seed are the same for any number of them.
        label: class of the samples, for a conditional generator; without it, classes take turns.
        grid: write one picture with all samples, OUTPUT/grid.png, in place of a file for each.
        columns: samples in a row of the grid.
    """

    samples: int | None = None
    seed: int = 0
    label: int | None = None
    grid: bool = False
    columns: int = 8


ONLY_SAMPLES = ("seed", "label", "grid", "columns")
"""Flags that have a meaning only with --samples."""


@dataclass(frozen=True)
class Sampling:
    """What a generator is asked for; `Drawing` says what the settings mean."""

    model: Path
    output: Path
    samples: int
    checkpoint: str = "final"
    seed: int = 0
    label: int | None = None
    grid: bool = False
    columns: int = 8

    def __post_init__(self) -> None:
        convert_fields(self)
        check_ranges({n: v for n, v in vars(self).items() if v is not None}, _RANGES, "samples")
        if self.grid and self.samples > MOST_IN_A_GRID:
            raise ValueError(
                f"Received: samples={self.samples} with grid. Expected: at most {MOST_IN_A_GRID} in a grid, or no grid."
            )

    def facts(self) -> dict[str, Any]:
        """Return the settings that affect each sample, as JSON values."""
        names = ("seed", "label", "grid", *(("samples", "columns") if self.grid else ()))
        return {name: getattr(self, name) for name in names}
