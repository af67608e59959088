"""Export a trained model to OpenVINO, ONNX, TensorFlow Lite or SavedModel.

    python scripts/export.py runs/cells cells.xml --precision int8

The export is compared with Keras on the validation split, and saved only if the difference is within --tolerance.
NAME.preprocessing.json is saved with it, so that predict.py and evaluate.py can use the export directly:

    python scripts/predict.py cells.xml pictures/ results/
    python scripts/evaluate.py runs/cells --exported cells.xml
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
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
