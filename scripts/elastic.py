"""Train on machines that come and go: start the ranks, watch them, and go on with those that are left.

    python scripts/elastic.py --min-ranks 2 --max-ranks 8 --hosts-command ./hosts.sh -- \\
        scripts/train_unet.py --data cells.h5 --epochs 50 --global-batch-size 32 --checkpoint-every-min 1

hosts.sh prints a line for each machine: "HOST" or "HOST:SLOTS". Behind the lone -- stands a training script with its
flags. docs/parallel.md has a section on it.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.elastic.command import elastic_parser, train_elastically
from ddl.flags import Parser


def build_parser() -> Parser:
    """Return a parser of the flags before the lone --."""
    return elastic_parser(__doc__)


def main(argv: list[str] | None = None) -> None:
    """Check, and train with the ranks that there are."""
    sys.exit(train_elastically(build_parser(), argv))


if __name__ == "__main__":
    main()
