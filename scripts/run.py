"""Train, evaluate or predict as a JSON file says.

    horovodrun -np 2 python scripts/run.py --config=examples/json/faces.json

With training data it trains, and evaluates test data after each epoch; with test data alone it evaluates, or writes
the network's outputs. --dry-run says in seconds what a config would do, --set changes a value for one run:

    python scripts/run.py --config=faces.json --set optimizer.learning_rate=1e-4 --dry-run

docs/json.md lists all keys.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.config.json_run.command import launch, run_parser
from ddl.flags import Parser


def build_parser() -> Parser:
    """Return the parser of the command's own flags."""
    return run_parser(__doc__)


def main(argv: list[str] | None = None) -> None:
    """Read the config, and do what it says."""
    sys.exit(launch(build_parser(), argv))


if __name__ == "__main__":
    main()
