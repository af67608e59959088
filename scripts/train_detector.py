"""Train a network that finds objects in pictures, and their boxes.

    horovodrun -np 2 python scripts/train_detector.py \\
        --run-dir runs/cells --data cells/ --image-size 416 --model yolov3 --epochs 50

The data are COCO JSON, text files of YOLO or XML files of Pascal VOC with their pictures, or a file of
prepare_data.py. Without them, synthetic pictures of cells of three shapes are made. The loss follows from the model.
After a stop or a kill, the same command with --resume auto continues. docs/detection.md has recipes.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.flags import Parser
from ddl.training.train_command import train_from_flags, training_parser

DEFAULTS = {
    "data": "synthetic-boxes",
    "model": "fcos",
    "model_option": {"width": 32},
    "loss": "fcos",
    "metric": ("ap50",),
}


def build_parser() -> Parser:
    """Return a parser with one flag for every field of a plan."""
    return training_parser("train_detector", __doc__, DEFAULTS)


def main(argv: list[str] | None = None) -> None:
    """Parse, check, train."""
    sys.exit(train_from_flags(build_parser(), argv, DEFAULTS))


if __name__ == "__main__":
    main()
