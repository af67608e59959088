"""Score all pictures of a table inside PostgreSQL with several workers, each picture exactly once.

    python scripts/sql_score.py --table scans --model cells --workers 8 --dsn "dbname=lab"

Results go into a second table, scans_scores. Killed workers are replaced, and a restarted server is reconnected. After
an interruption, run the same command again to continue. A bad picture gets an error in its row.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.flags import Parser, add_flags
from ddl.scoring.client.database import Database
from ddl.scoring.client.job import Job
from ddl.scoring.sql_command import score_from_flags


def build_parser() -> Parser:
    """Return a parser with one flag for every field of a job and of a database."""
    parser = Parser("sql_score", __doc__, "--table TABLE --model NAME [flags]")
    add_flags(parser, (Job, Database))
    return parser


def main(argv: list[str] | None = None) -> None:
    """Parse, check, score."""
    sys.exit(score_from_flags(build_parser(), argv))


if __name__ == "__main__":
    main()
