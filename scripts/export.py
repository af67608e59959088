"""Turn a trained model into a file for OpenVINO, ONNX Runtime, TensorFlow Lite or TensorFlow Serving.

    python scripts/export.py runs/cells cells.xml --precision int8

The export is compared with Keras on samples that the training did not see, and appears only if it is close enough.
NAME.preprocessing.json beside it says what its pictures are; predict.py and evaluate.py take it as it is:

    python scripts/predict.py cells.xml pictures/ results/
    python scripts/evaluate.py runs/cells --exported cells.xml
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ddl.export.export import Export
from ddl.export.export_command import export_from_flags
from ddl.flags import Parser, add_flags


def build_parser() -> Parser:
    """Return a parser with one flag for every field of an export."""
    parser = Parser("export", __doc__, "MODEL OUTPUT [flags]")
    add_flags(parser, (Export,))
    return parser


def main(argv: list[str] | None = None) -> None:
    """Parse, check, export."""
    sys.exit(export_from_flags(build_parser(), argv))


if __name__ == "__main__":
    main()
