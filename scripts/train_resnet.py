"""Train a residual network: train_cnn.py under its earlier name, with resnet18 as its model.

    horovodrun -np 2 python scripts/train_resnet.py \\
        --run-dir runs/faces --data faces --model resnet20 --epochs 30

`--data faces` is 200 real pictures of 25x25 pixels, with or without a face, from scikit-image. After a stop or a kill,
the same command with --resume auto continues.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.flags import Parser
from ddl.training.train_command import train_from_flags, training_parser
from scripts.train_cnn import DEFAULTS as CLASSIFIER

DEFAULTS = {**CLASSIFIER, "model": "resnet18"}


def build_parser() -> Parser:
    """Return a parser with one flag for every field of a plan."""
    return training_parser("train_resnet", __doc__, DEFAULTS)


def main(argv: list[str] | None = None) -> None:
    """Parse, check, train."""
    sys.exit(train_from_flags(build_parser(), argv, DEFAULTS))


if __name__ == "__main__":
    main()
