"""Measure trainings, and project them to more ranks.

    python scripts/benchmark.py project --model resnet50 --step-seconds 0.15 --output resnet50

`python scripts/benchmark.py WHAT --help` lists the flags of each.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ddl.benchmark.command import benchmark_from_flags, overview
from ddl.flags import Parser


def build_parser() -> Parser:
    """Return a parser of the subcommands' names."""
    return overview(__doc__)


def main(argv: list[str] | None = None) -> None:
    """Parse, check, measure."""
    sys.exit(benchmark_from_flags(__doc__, argv))


if __name__ == "__main__":
    main()
