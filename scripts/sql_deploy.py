"""Deploy a model to a PostgreSQL database, with SQL functions that predict masks and labels.

    python scripts/sql_deploy.py cells.xml --name cells --dsn "host=db dbname=lab"

Then: SELECT id, ddl.segment('cells', image) FROM scans. The command can be repeated: a changed model becomes the next
version, an unchanged one stays. Passwords come from PGPASSWORD, ~/.pgpass or a service file.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.flags import Parser, add_flags
from ddl.scoring.client.database import Database
from ddl.scoring.deployment.deployment import Deployment
from ddl.scoring.sql_command import deploy_from_flags


def build_parser() -> Parser:
    """Return a parser with one flag for every field of a deployment and of a database."""
    parser = Parser("sql_deploy", __doc__, "MODEL.xml --name NAME [flags]")
    add_flags(parser, (Deployment, Database))
    return parser


def main(argv: list[str] | None = None) -> None:
    """Parse, check, deploy."""
    sys.exit(deploy_from_flags(build_parser(), argv))


if __name__ == "__main__":
    main()
