"""Measure training on this machine, and project it to more ranks.

    python scripts/benchmark.py train --data /data/cells --epoch-steps 50 --output cells

`python scripts/benchmark.py WHAT --help` lists the flags of each subcommand.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.benchmark.command import COMMANDS, Launcher
from ddl.flags import Parser

_LAUNCHER = Launcher("benchmark", __doc__, COMMANDS)


def build_parser() -> Parser:
    """Return a parser of the subcommands' names."""
    return _LAUNCHER.overview()


def main(argv: list[str] | None = None) -> None:
    """Parse, check and measure."""
    sys.exit(_LAUNCHER.main(argv))


if __name__ == "__main__":
    main()
