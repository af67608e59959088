"""Write experiments down, send them to this machine, to a server or to a Slurm cluster, and be told how they end.

    python scripts/experiments.py plan examples/experiments/cells.yaml
    python scripts/experiments.py submit examples/experiments/cells.yaml
    python scripts/experiments.py watch

docs/experiments.md leads from a spec to a mail in five minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.experiments import command


def main(argv: list[str] | None = None) -> None:
    """Run one verb."""
    sys.exit(command.main(__doc__, argv))


if __name__ == "__main__":
    main()
