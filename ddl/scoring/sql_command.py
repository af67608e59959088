"""The commands behind scripts/sql_deploy.py and scripts/sql_score.py."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from typing import Any

from ddl.flags import Parser, given_flags
from ddl.plain_text import escaped, tell
from ddl.scoring.client.database import Database
from ddl.scoring.client.job import Job
from ddl.scoring.deployment.deployment import Deployment
from ddl.standard_streams import end_output

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells report it."""


def deploy_from_flags(parser: Parser, argv: list[str] | None) -> int:
    """Run sql_deploy.py. Return the exit status: 0, 2 for bad input (with one line on stderr), 130 for Ctrl-C."""

    def run(deployment: Deployment, database: Database) -> str:
        from ddl.scoring.deployment.deploy import as_text, deploy
        from ddl.scoring.deployment.exported_model import read_parts

        if not deployment.print_sql:
            return escaped(deploy(deployment, database)) + "\n"
        read_parts(deployment.model)
        return as_text(deployment)

    return _run(parser, argv, Deployment, run, "nothing was changed")


def score_from_flags(parser: Parser, argv: list[str] | None) -> int:
    """Run sql_score.py. Return the exit status: 0, 2 for bad input (with one line on stderr), 130 for Ctrl-C."""

    def run(job: Job, database: Database) -> str:
        from ddl.scoring.client.worker_pool import score

        return escaped(score(job, database)) + "\n"

    return _run(parser, argv, Job, run, "run the same command again to continue where it stopped")


def _run(
    parser: Parser,
    argv: list[str] | None,
    settings: type,
    run: Callable[[Any, Database], str],
    after_ctrl_c: str,
) -> int:
    """Build the settings and the database from the flags, and print what `run` returns for them."""
    values = given_flags(vars(parser.parse_args(argv)))
    names = {field.name for field in dataclasses.fields(Database)} & values.keys()
    database_values = {name: values.pop(name) for name in names}
    try:
        sys.stdout.write(run(settings(**values), Database(**database_values)))
    except ValueError as error:
        return parser.complain(error)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        tell(f"{parser.name}: interrupted; {after_ctrl_c}.")
        return INTERRUPTED
    return end_output(parser.name)
