"""Convert a folder of pictures with masks or labels into one HDF5 file to train from.

    python scripts/prepare_data.py pictures/ cells.h5 --image-size 128 --validation 0.1

If it is interrupted, run the same command again to resume. Invalid flags, paths and pictures end with one line and
status 2.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.data.pictures.picture_file import silence_decoders
from ddl.data.preparation.preparation import Preparation
from ddl.data.preparation.prepare import prepare
from ddl.flags import Parser, add_flags, given_flags
from ddl.plain_text import escaped, tell


def build_parser() -> Parser:
    """Return a parser with one argument for every field of the preparation."""
    parser = Parser("prepare_data", __doc__, "SOURCE OUTPUT [flags]")
    add_flags(parser, (Preparation,))
    return parser


def main(argv: list[str] | None = None) -> None:
    """Parse, check, prepare."""
    parser = build_parser()
    arguments = given_flags(vars(parser.parse_args(argv)))
    silence_decoders()
    try:
        preparation = Preparation(**arguments)
        outcome = prepare(preparation, lambda line: print(escaped(f"{line}."), flush=True))
    except ValueError as error:
        sys.exit(parser.complain(error))
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        tell("prepare_data: interrupted; run the same command again to resume.")
        sys.exit(130)
    for line in outcome.skipped:
        tell(f"prepare_data: skipped: {line}")
    print(escaped(f"{preparation.output}: {outcome.count} samples, {len(outcome.skipped)} skipped"))


if __name__ == "__main__":
    main()
