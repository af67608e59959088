"""Turn a folder of pictures with masks or labels into one HDF5 file to train from.

    python scripts/prepare_data.py pictures/ cells.h5 --image-size 128 --validation 0.1

Killed in the middle, the same command goes on where it was. Bad flags, paths and pictures end with one line and
status 2.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ddl.data.prepare import Preparation, prepare


def build_parser() -> argparse.ArgumentParser:
    """Return a parser with one argument for every field of the preparation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    helps = _documented_fields()
    for field in dataclasses.fields(Preparation):
        if field.default is dataclasses.MISSING:
            parser.add_argument(field.name, type=Path, help=helps[field.name])
            continue
        size = field.name == "image_size"
        kind = _size if size else type(field.default)
        shown = f"{helps[field.name]} (default: {'x'.join(map(str, field.default)) if size else field.default})"
        flag = "--" + field.name.replace("_", "-")
        parser.add_argument(flag, type=kind, default=field.default, help=shown.replace("%", "%%"))
    return parser


def main(argv: list[str] | None = None) -> None:
    """Parse, check, prepare."""
    arguments = vars(build_parser().parse_args(argv))
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it would say, our errors say
    try:
        preparation = Preparation(**arguments)
        outcome = prepare(preparation)
    except ValueError as error:
        sys.stderr.write(f"prepare_data: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("\nprepare_data: interrupted; the same command goes on where it was.\n")
        sys.exit(130)
    for line in outcome.skipped:
        sys.stderr.write(f"prepare_data: skipped: {line}\n")
    print(f"{preparation.output}: {outcome.count} samples, {len(outcome.skipped)} skipped")


def _size(text: str) -> tuple[int, int]:
    """Return (height, width) of "128" or "96x128"."""
    sides = text.split("x")
    if len(sides) > 2 or not all(side.isdecimal() for side in sides):
        raise argparse.ArgumentTypeError(
            f"Received: {text!r}. Expected: pixels, such as 128 or 96x128 (height x width)."
        )
    return int(sides[0]), int(sides[-1])


def _documented_fields() -> dict[str, str]:
    lines = (Preparation.__doc__ or "").partition("Attributes:")[2].strip().splitlines()
    pairs = [line.strip().partition(": ") for line in lines]
    return {name: text.rstrip(".") for name, _, text in pairs}


if __name__ == "__main__":
    main()
