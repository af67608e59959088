"""Write synthetic pictures or volumes as files, as example data.

    python scripts/make_example.py example/ --count 1000
    python scripts/make_example.py shapes/ --kind classes --size 32

By default the folder has images/ and masks/, as `--data` of a training script expects them; predict.py takes images/.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.data.preparation.example import Example, write_example
from ddl.flags import Parser, add_flags, given_flags
from ddl.plain_text import escaped


def build_parser() -> Parser:
    """Return a parser with one argument for every field of an example."""
    parser = Parser("make_example", __doc__, "OUTPUT [flags]")
    add_flags(parser, (Example,))
    return parser


def main(argv: list[str] | None = None) -> None:
    """Parse, check, write."""
    parser = build_parser()
    try:
        example = Example(**given_flags(vars(parser.parse_args(argv))))
        write_example(example)
    except ValueError as error:
        sys.exit(parser.complain(error))
    except KeyboardInterrupt:
        sys.stderr.write("\nmake_example: interrupted; nothing was written.\n")
        sys.exit(130)
    print(escaped(f"{example.output}: {example.count} samples of kind {example.kind}"))


if __name__ == "__main__":
    main()
