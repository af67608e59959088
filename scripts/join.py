"""Add workers to an asynchronous training run: on this machine, while it runs.

    python scripts/join.py runs/unet              # a worker of the run in this folder, until it is over or Ctrl-C
    python scripts/join.py runs/unet --workers 2

The run directory says where the run's Ray is, so another machine needs the same folder, and a node of that Ray
(`ray start --address=HOST:PORT`). docs/parallel.md has a section on it.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.asynchronous.cluster.joining import join_from_flags, join_parser
from ddl.flags import Parser


def build_parser() -> Parser:
    """Return a parser of a run directory and flags."""
    return join_parser(__doc__)


def main(argv: list[str] | None = None) -> None:
    """Start workers, and wait until they end."""
    sys.exit(join_from_flags(build_parser(), argv))


if __name__ == "__main__":
    main()
