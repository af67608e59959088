"""Put a model into a PostgreSQL database, with the functions that find masks and labels in pictures there.

    python scripts/sql_deploy.py cells.xml --name cells --dsn "host=db dbname=lab"

Then: SELECT id, ddl.segment('cells', image) FROM scans. Called again, it changes only what is not as it should be; a
changed model becomes the next version. A password comes from PGPASSWORD, ~/.pgpass or a service file.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

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
