"""Evaluate a trained model on its own data set or on another one.

    horovodrun -np 2 python scripts/evaluate.py runs/unet \\
        --checkpoint best --metric dice iou hausdorff_95

Prints loss and metrics as JSON, over all samples and each counted once, on any number of ranks.
Evaluation sample by sample, with large pictures predicted by tiles:

    python scripts/evaluate.py runs/unet --tile 256 --per-picture all.csv \\
        --confusion confusion.txt --worst 8 --worst-sheet worst.png
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.flags import Parser, add_flags
from ddl.inference.inspection.inspection import Inspection
from ddl.inference.predict_command import evaluate_from_flags
from ddl.training.objectives.metrics import METRICS


def build_parser() -> Parser:
    """Return a parser with one flag for every field of an evaluation."""
    parser = Parser("evaluate", __doc__, "MODEL [flags]")
    add_flags(parser, (Inspection,), known={"metric": METRICS})
    return parser


def main(argv: list[str] | None = None) -> None:
    """Parse, check, evaluate."""
    sys.exit(evaluate_from_flags(build_parser(), argv))


if __name__ == "__main__":
    main()
