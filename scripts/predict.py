"""Predict masks or labels of pictures and volumes of any size with a trained model.

    horovodrun -np 2 python scripts/predict.py runs/cells pictures/ results/ \\
        --tile 512 --overlay

Pictures are preprocessed as in training. Masks have the pictures' own sizes; labels are written to one table,
predictions.csv. A trained generator takes no INPUT: give --samples N. After an interruption, run the same command again
to continue where it stopped.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.flags import Parser, add_flags
from ddl.inference.predict_command import predict_from_flags
from ddl.inference.prediction.prediction import Prediction
from ddl.inference.sampling.command import PredictParser
from ddl.inference.sampling.sampling import Drawing


def build_parser() -> Parser:
    """Return a parser with one flag for every field of a prediction, and for those of a generator's samples."""
    parser = PredictParser("predict", __doc__, "MODEL [INPUT] OUTPUT [flags]")
    add_flags(parser, (Prediction, Drawing))
    return parser


def main(argv: list[str] | None = None) -> None:
    """Parse, check, predict."""
    sys.exit(predict_from_flags(build_parser(), argv))


if __name__ == "__main__":
    main()
