"""Find masks or labels in pictures and volumes of any size, with a trained model.

    horovodrun -np 2 python scripts/predict.py runs/cells pictures/ results/ \\
        --tile 512 --overlay true

Pictures become the model's input as they did in the training. Masks have the pictures' own sizes; labels go into one
table, predictions.csv. Stopped or killed, the same command goes on where it was.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ddl.flags import Parser, add_flags
from ddl.inference.predict_command import predict_from_flags
from ddl.inference.prediction.prediction import Prediction


def build_parser() -> Parser:
    """Return a parser with one flag for every field of a prediction."""
    parser = Parser("predict", __doc__, "MODEL INPUT OUTPUT [flags]")
    add_flags(parser, (Prediction,))
    return parser


def main(argv: list[str] | None = None) -> None:
    """Parse, check, predict."""
    sys.exit(predict_from_flags(build_parser(), argv))


if __name__ == "__main__":
    main()
