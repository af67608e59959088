"""Score all pictures of a table inside PostgreSQL, with several workers, each picture exactly once.

    python scripts/sql_score.py --table scans --model cells --workers 8 --dsn "dbname=lab"

Results go into a table beside it, SCANS_scores. Workers and the server may be killed meanwhile; stopped, the same
command goes on where it was. A bad picture becomes an error on its row.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

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
